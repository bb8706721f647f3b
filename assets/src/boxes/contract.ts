// What the server and the workbench say to each other. The Go side is in web/label.go.
import type { Rules } from "../transcript/rules";
import type { Mode } from "./keys";
import type { Window } from "./levels";
import { type Box, sameBoxes } from "./model";

export interface ImageInfo {
  readonly src: string;
  /** Of the upright image, in pixels; boxes are in these. */
  readonly width: number;
  readonly height: number;
  readonly alt: string;
  /** For 16-bit images: a rendition with the high byte in red and the low byte in green. */
  readonly window: (Window & { readonly src: string }) | null;
}

/** A stretch of an utterance with what was said in it, in seconds from its beginning. */
export interface Segment {
  readonly begin: number;
  readonly end: number;
  /** From 1; absent for all of them. */
  readonly channel?: number;
  readonly speaker?: string;
  readonly text: string;
}

/** What an answer says, finished or not: boxes, which of an utterance are moments, and there what was said. */
export interface Content {
  readonly boxes: readonly Box[];
  readonly transcript?: readonly Segment[];
}

export interface HeardWord {
  readonly word: string;
  readonly start: number;
  readonly end: number;
  readonly confidence: number | null;
}

/** What a model version heard; `model` is empty where that is not known. */
export interface Heard {
  readonly model: string;
  readonly confidence: number | null;
  readonly text: string;
  readonly words: readonly HeardWord[];
}

/** What stands for a sound that is no word. `act` puts it in by the table of keys, else `key` with Alt. */
export interface SoundTag {
  readonly text: string;
  readonly act?: string;
  readonly key?: string;
  readonly about?: string;
}

/** An utterance. All times are seconds from its beginning; the sound at `src` begins `lead` seconds before it and ends `trail` after. */
export interface SoundInfo {
  readonly src: string;
  readonly peaks: string;
  readonly seconds: number;
  readonly lead: number;
  readonly trail: number;
  readonly channels: number;
  readonly begins: number;
  readonly mode: "blind" | "edit" | "reveal";
  readonly transcript: readonly Segment[];
  readonly heard: readonly Heard[];
  readonly picked: string;
  readonly tags: readonly SoundTag[];
  /** What the project's transcription rules let a machine check. */
  readonly rules: Rules;
  /** What is decided of the utterances that are heard around this one, in the order of time. */
  readonly around: readonly Neighbor[];
}

/** An utterance before or after, in seconds from the beginning of this one. */
export interface Neighbor {
  readonly begin: number;
  readonly end: number;
  readonly channel: number;
  readonly text: string;
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

export type Reason =
  | "loose_box" | "missed_defect" | "wrong_class" | "split_needed" | "other" | "definition"
  | "wrong_words" | "missed_words" | "against_rules" | "wrong_time" | "missed_moment";

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
  /** Told once what was fetched ahead is on the screen. */
  readonly shown?: string;
  readonly definition?: string;
  readonly reveal?: string;
  readonly context?: string;
  readonly check?: string;
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
  /** Of an utterance, in the place of an image. */
  readonly sound?: SoundInfo;
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

export type SkipReason = "cannot_decide" | "broken_image" | "broken_sound" | "not_mine" | "other";

export interface Saved {
  readonly version: number;
  readonly savedAt: string;
}

export interface Conflict extends Content {
  readonly version: number;
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

/** What a task begins with. */
export function contentOf(state: State): Content {
  return state.sound ? { boxes: state.boxes, transcript: state.sound.transcript } : { boxes: state.boxes };
}

export function sameContent(a: Content, b: Content): boolean {
  return sameBoxes(a.boxes, b.boxes) && sameTranscript(a.transcript ?? [], b.transcript ?? []);
}

function sameTranscript(a: readonly Segment[], b: readonly Segment[]): boolean {
  const same = (s: Segment, t: Segment | undefined): boolean =>
    t !== undefined && s.begin === t.begin && s.end === t.end && s.text === t.text && (s.channel ?? 0) === (t.channel ?? 0) && (s.speaker ?? "") === (t.speaker ?? "");
  return a.length === b.length && a.every((s, i) => same(s, b[i]));
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
