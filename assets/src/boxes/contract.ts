// What the server and the workbench say to each other. The Go side is in web/label.go.
import type { Mode } from "./keys";
import type { Window } from "./levels";
import type { Box } from "./model";

export interface ImageInfo {
  readonly src: string;
  /** Of the upright image, in pixels; boxes are in these. */
  readonly width: number;
  readonly height: number;
  readonly alt: string;
  /** For 16-bit images: a rendition with the high byte in red and the low byte in green. */
  readonly window: (Window & { readonly src: string }) | null;
}

export interface ClassInfo {
  readonly id: number;
  readonly name: string;
  /** "1" … "9", "0", and empty from the eleventh on. */
  readonly key: string;
  /** Names the rule c{slot} of the project's style sheet. */
  readonly slot: number;
  /** The published version of the definition. */
  readonly definition: number;
}

export type Reason = "loose_box" | "missed_defect" | "wrong_class" | "split_needed" | "other" | "definition";

/** A reviewer's remark, about a box or about a place. */
export interface Mark {
  readonly box: string | null;
  readonly reason: Reason;
  readonly note: string;
  readonly x?: number;
  readonly y?: number;
}

/** Somebody's boxes, drawn over the image in a line style of their own (0…8). */
export interface OverlayInfo {
  readonly id: string;
  readonly style: number;
  readonly boxes: readonly Box[];
}

/** Where to ask for what; what is absent is not offered. {class} stands for an id. */
export interface Urls {
  readonly draft?: string;
  readonly submit?: string;
  readonly heartbeat?: string;
  readonly skip?: string;
  readonly recall?: string;
  readonly dispute?: string;
  readonly next?: string;
  readonly state?: string;
  readonly definition?: string;
  /** The person's own keys are put here. */
  readonly keys?: string;
  /** The page to go to when nothing is left. */
  readonly queue?: string;
  /** The project's class colours. */
  readonly classes?: string;
}

export interface State {
  readonly assignment: number;
  readonly task: number;
  readonly item: number;
  readonly mode: Mode;
  readonly title: string;
  readonly facts: readonly string[];
  readonly reason: "initial" | "rework" | "relabel";
  readonly image: ImageInfo;
  readonly classes: readonly ClassInfo[];
  readonly boxes: readonly Box[];
  readonly draftVersion: number;
  readonly marks: readonly Mark[];
  readonly overlays: readonly OverlayInfo[];
  readonly leaseUntil: string | null;
  /** The server's clock when it wrote this. */
  readonly now: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly draftKey: string;
  readonly recallable: { readonly task: number; readonly title: string } | null;
  readonly urls: Urls;
}

export type SkipReason = "cannot_decide" | "broken_image" | "not_mine" | "other";

export interface Saved {
  readonly version: number;
  readonly savedAt: string;
}

export interface Conflict {
  readonly version: number;
  readonly boxes: readonly Box[];
}

export interface Submitted {
  readonly surplus: boolean;
  readonly message: string;
  readonly next: string | null;
}

export interface Renewed {
  readonly leases: readonly { readonly assignment: number; readonly until: string }[];
  readonly gone: readonly number[];
  /** Of those that were asked for: their items were erased. */
  readonly erased?: readonly number[];
}

/** A state as the server wrote it: an empty list may come as null. */
type Raw = { readonly [K in keyof State]: State[K] | null };

export function completed(raw: State): State {
  const s: Partial<Raw> = raw;
  return {
    ...raw,
    facts: s.facts ?? [],
    classes: s.classes ?? [],
    boxes: s.boxes ?? [],
    marks: s.marks ?? [],
    overlays: (s.overlays ?? []).map((o) => ({ ...o, boxes: (o.boxes as readonly Box[] | null) ?? [] })),
    keys: s.keys ?? {},
    draftKey: s.draftKey ?? "",
  };
}
