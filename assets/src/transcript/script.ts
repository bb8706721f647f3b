// What is written of an utterance: its segments and its moments, with everything that was done to them.
import type { Content, Segment } from "../boxes/contract";
import { type Box, newId, sameBoxes } from "../boxes/model";

/** A segment while it is worked on: its id stays as long as it does. */
export interface Part extends Segment {
  readonly id: number;
}

/** Where the cursor is: a segment, and what is selected in it. */
export interface Caret {
  readonly segment: number;
  readonly from: number;
  readonly to: number;
}

export interface Span {
  readonly begin: number;
  readonly end: number;
}

interface State {
  readonly parts: readonly Part[];
  readonly moments: readonly Box[];
}

interface Step extends State {
  readonly label: string;
  readonly kind: string;
  readonly at: number;
  readonly caret: Caret;
}

// Typing without a pause longer than this is one step of undo, as long as it stays in one word.
const together = 1000;

/** The shortest segment, in seconds. */
export const shortest = 0.05;

/** The document of the workbench. Nothing that it hands out is ever altered. */
export class Script {
  private state: State;
  private done: Step[] = [];
  private undone: Step[] = [];
  private lastId = 0;
  caret: Caret = { segment: 0, from: 0, to: 0 };

  constructor(
    content: Content,
    readonly seconds: number,
    private readonly changed: () => void,
  ) {
    this.state = { parts: this.numbered(content.transcript ?? []), moments: content.boxes };
  }

  private numbered(segments: readonly Segment[]): Part[] {
    const whole = segments.length > 0 ? segments : [{ begin: 0, end: this.seconds, text: "" }];
    return whole.map((s) => ({ ...s, id: ++this.lastId }));
  }

  get parts(): readonly Part[] {
    return this.state.parts;
  }

  get moments(): readonly Box[] {
    return this.state.moments;
  }

  /** As it is sent to the server. */
  get content(): Content {
    return { boxes: this.state.moments, transcript: this.state.parts.map(({ id: _, ...segment }) => segment) };
  }

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  private put(state: Partial<State>, label: string, kind = "", now = 0): void {
    const last = this.done.at(-1);
    const joins = kind !== "" && last?.kind === kind && now - last.at <= together;
    if (joins) this.done[this.done.length - 1] = { ...last, at: now };
    else this.done.push({ ...this.state, label, kind, at: now, caret: this.caret });
    this.undone = [];
    this.state = { ...this.state, ...state };
    this.changed();
  }

  /** Takes the last step back and says what it was, null where there is none. */
  undo(): string | null {
    return this.step(this.done, this.undone);
  }

  redo(): string | null {
    return this.step(this.undone, this.done);
  }

  private step(from: Step[], to: Step[]): string | null {
    const step = from.pop();
    if (!step) return null;
    to.push({ ...step, ...this.state, kind: "", caret: this.caret });
    this.state = { parts: step.parts, moments: step.moments };
    this.caret = step.caret;
    this.changed();
    return step.label;
  }

  // ---- text

  /** The text of a segment is another now, and the cursor is there. */
  write(at: number, text: string, caret: Caret, now: number): void {
    const part = this.parts[at];
    if (!part || part.text === text) return;
    const grown = text.length - part.text.length;
    const typed = text[caret.from - 1] ?? "";
    // A new word, a paste and a deletion each begin a step of their own.
    const kind = grown === 1 && !/\s/u.test(typed) ? `type ${part.id}` : grown === -1 ? `delete ${part.id}` : "";
    this.put({ parts: this.parts.with(at, { ...part, text }) }, "Text", kind, now);
    this.caret = caret;
  }

  /** Puts another content in the place of everything, as one step. */
  take(content: Content, label: string): void {
    this.put({ parts: this.numbered(content.transcript ?? []), moments: content.boxes }, label);
    this.caret = { segment: 0, from: 0, to: 0 };
  }

  // ---- segments

  /** Splits a segment in its text at `at`, in time at `time`, as far as that lies inside. */
  split(segment: number, at: number, time: number | null): void {
    const part = this.parts[segment];
    if (!part || part.end - part.begin < 2 * shortest) return;
    const share = part.text.length === 0 ? 0.5 : at / part.text.length;
    const wanted = time ?? part.begin + (part.end - part.begin) * share;
    const cut = rounded(Math.min(Math.max(wanted, part.begin + shortest), part.end - shortest));
    const first = { ...part, end: cut, text: part.text.slice(0, at).trimEnd() };
    const second = { ...part, begin: cut, text: part.text.slice(at).trimStart(), id: ++this.lastId };
    this.put({ parts: this.parts.toSpliced(segment, 1, first, second) }, "Split");
    this.caret = { segment: segment + 1, from: 0, to: 0 };
  }

  /** Joins a segment with the one before it. */
  join(segment: number): void {
    const [first, second] = [this.parts[segment - 1], this.parts[segment]];
    if (!first || !second) return;
    const space = first.text === "" || second.text === "" || /\s$/u.test(first.text) ? "" : " ";
    const text = first.text + space + second.text;
    const joined = { ...first, begin: Math.min(first.begin, second.begin), end: Math.max(first.end, second.end), text };
    this.put({ parts: this.parts.toSpliced(segment - 1, 2, joined) }, "Joined");
    const at = first.text.length + space.length;
    this.caret = { segment: segment - 1, from: at, to: at };
  }

  /** Sets where a segment begins or ends; a neighbour that touched it there goes with it. */
  retime(segment: number, side: "begin" | "end", time: number): boolean {
    const part = this.parts[segment];
    if (!part) return false;
    const beside = side === "begin" ? segment - 1 : segment + 1;
    const other = this.parts[beside];
    const back = side === "begin" ? "end" : "begin";
    const touches = other !== undefined && other[back] === part[side] && (other.channel ?? 0) === (part.channel ?? 0);
    const at = rounded(Math.min(Math.max(time, 0), this.seconds));
    const low = side === "begin" ? (touches ? other.begin + shortest : 0) : part.begin + shortest;
    const high = side === "begin" ? part.end - shortest : touches ? other.end - shortest : this.seconds;
    if (at < low || at > high || at === part[side]) return false;
    let parts = this.parts.with(segment, { ...part, [side]: at });
    if (touches) parts = parts.with(beside, { ...other, [back]: at });
    this.put({ parts }, "Times");
    return true;
  }

  /** The next speaker: none, A, B, and on to one more than there are. */
  nextSpeaker(segment: number): string {
    const part = this.parts[segment];
    if (!part) return "";
    const names = [...new Set(this.parts.map((p) => p.speaker ?? "").filter((s) => s !== ""))].sort();
    const known = [...new Set(["A", "B", ...names])].sort();
    const all = ["", ...known, ...(names.length === known.length && known.length < 26 ? [String.fromCharCode(65 + known.length)] : [])];
    const speaker = all[(all.indexOf(part.speaker ?? "") + 1) % all.length] ?? "";
    this.put({ parts: this.parts.with(segment, { ...part, speaker }) }, "Speaker", `speaker ${part.id}`);
    return speaker;
  }

  /** The next channel: all of them, 1, 2 and on. */
  nextChannel(segment: number, channels: number): number {
    const part = this.parts[segment];
    if (!part) return 0;
    const channel = ((part.channel ?? 0) + 1) % (channels + 1);
    this.put({ parts: this.parts.with(segment, { ...part, channel }) }, "Channel", `channel ${part.id}`);
    return channel;
  }

  // ---- moments

  /** Marks a class on a stretch of time; where it is marked on that very stretch already, takes it away. */
  mark(classId: number, span: Span, channel = 0): "marked" | "taken away" {
    const x = rounded(Math.max(0, span.begin));
    const w = rounded(Math.min(this.seconds, span.end) - x);
    const same = this.moments.find((m) => m.class === classId && m.y === channel && Math.abs(m.x - x) < 0.01 && Math.abs(m.w - w) < 0.01);
    if (same) {
      this.put({ moments: this.moments.filter((m) => m !== same) }, "Moment");
      return "taken away";
    }
    const moment: Box = { id: newId(), class: classId, x, y: channel, w: Math.max(w, 0.001), h: 1, rotation: 0 };
    this.put({ moments: [...this.moments, moment] }, "Moment");
    return "marked";
  }

  unmark(id: string): void {
    const moments = this.moments.filter((m) => m.id !== id);
    if (!sameBoxes(moments, this.moments)) this.put({ moments }, "Moment");
  }

  /** Moves or stretches a moment. */
  remark(id: string, span: Span, now: number): void {
    const begin = rounded(Math.max(0, Math.min(span.begin, this.seconds - shortest)));
    const end = rounded(Math.min(this.seconds, Math.max(span.end, begin + shortest)));
    const moments = this.moments.map((m) => (m.id === id ? { ...m, x: begin, w: rounded(end - begin) } : m));
    if (!sameBoxes(moments, this.moments)) this.put({ moments }, "Moment", `moment ${id}`, now);
  }
}

/** Times are kept to the millisecond. */
export function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
