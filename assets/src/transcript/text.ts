// The text: a field for each segment, and behind it the same words, tinted by how sure the hypothesis was of them. The field is a
// plain one, so that writing, spell checking, input methods and screen readers work as everywhere.
import { element } from "../shared/dom";
import type { Scope } from "../shared/scope";
import type { Caret, Part, Script } from "./script";
import { clock } from "./time";
import { doubtOf, type TimedWord, type Timing } from "./timing";
import { tokens } from "./words";

/** What the text tells of. */
export interface Told {
  /** Something was written, or the cursor went elsewhere. */
  wrote(): void;
  moved(): void;
  undo(back: boolean): void;
  /** A word was clicked; `alone`: to hear it. */
  pointed(caret: Caret, alone: boolean): void;
  speaker(segment: number): void;
  channel(segment: number): void;
}

interface Row {
  readonly part: number;
  readonly root: HTMLElement;
  readonly speaker: HTMLButtonElement;
  readonly channel: HTMLButtonElement;
  readonly times: HTMLElement;
  readonly head: HTMLElement;
  readonly under: HTMLElement;
  readonly field: HTMLTextAreaElement;
  painted: string;
}

export class Text {
  private rows: Row[] = [];
  private current: TimedWord | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly script: Script,
    private readonly channels: number,
    private readonly scope: Scope,
    private readonly told: Told,
  ) {
    this.root.replaceChildren();
    this.listen();
    this.load();
  }

  private listen(): void {
    const { scope, root } = this;
    scope.on(root, "input", (e) => this.typed(e));
    scope.on(root as EventTarget, "beforeinput", (e) => {
      // The browser's own undo knows nothing of segments: ours takes its place, also from its menu.
      if (!(e instanceof InputEvent) || !/^history/.test(e.inputType)) return;
      e.preventDefault();
      this.told.undo(e.inputType === "historyUndo");
    });
    for (const type of ["keyup", "select", "focusin"] as const) scope.on(root, type, () => this.told.moved());
    scope.on(root, "click", (e) => this.clicked(e));
  }

  private typed(e: Event): void {
    const at = this.rows.findIndex((r) => r.field === e.target);
    const row = this.rows[at];
    if (!row) return;
    // What is pasted is plain text; a segment is one paragraph.
    if (/[\r\n]/u.test(row.field.value)) {
      const { selectionStart } = row.field;
      row.field.value = row.field.value.replace(/[\r\n]+/gu, " ");
      row.field.setSelectionRange(selectionStart, selectionStart);
    }
    const caret = { segment: at, from: row.field.selectionStart, to: row.field.selectionEnd };
    this.script.write(at, row.field.value, caret, performance.now());
    this.told.wrote();
  }

  private clicked(e: MouseEvent): void {
    const target = e.target instanceof Element ? e.target : null;
    const at = this.rows.findIndex((r) => r.root.contains(target));
    const row = this.rows[at];
    if (!row || !target) return;
    if (row.speaker.contains(target)) this.told.speaker(at);
    else if (row.channel.contains(target)) this.told.channel(at);
    else if (target === row.field) this.told.pointed(this.caret(), e.altKey);
  }

  /** Where the cursor is: in the field that has the focus, else where it was last. */
  caret(): Caret {
    const segment = this.rows.findIndex((r) => r.field === document.activeElement);
    const field = this.rows[segment]?.field;
    return field ? { segment, from: field.selectionStart, to: field.selectionEnd } : this.script.caret;
  }

  /** Puts the cursor somewhere and the focus into its field. */
  place(caret: Caret): void {
    this.script.caret = caret;
    const field = this.rows[Math.min(caret.segment, this.rows.length - 1)]?.field;
    if (!field) return;
    field.focus({ preventScroll: true });
    field.setSelectionRange(caret.from, caret.to);
    field.scrollIntoView({ block: "nearest" });
    this.told.moved();
  }

  /** Writes in place of what is selected, with a space on either side where it stands alone. */
  insert(text: string): void {
    const caret = this.caret();
    const part = this.script.parts[caret.segment];
    if (!part) return;
    const [before, after] = [part.text.slice(0, caret.from), part.text.slice(caret.to)];
    const left = before === "" || /[\s]$/u.test(before) ? "" : " ";
    const right = /^\s/u.test(after) ? "" : " ";
    this.replace(caret, left + text + right);
  }

  /** Puts text in the place of a part of a segment; the cursor comes to stand behind it. */
  replace(caret: Caret, text: string): void {
    const part = this.script.parts[caret.segment];
    if (!part) return;
    const at = caret.from + text.length;
    this.script.write(caret.segment, part.text.slice(0, caret.from) + text + part.text.slice(caret.to), { segment: caret.segment, from: at, to: at }, 0);
    this.told.wrote();
    this.place({ segment: caret.segment, from: at, to: at });
  }

  // ---- drawing

  /** Brings the fields in line with the script. */
  load(): void {
    const { parts } = this.script;
    const known = new Map(this.rows.map((r) => [r.part, r]));
    this.rows = parts.map((p) => known.get(p.id) ?? this.row(p));
    const kept = new Set(this.rows);
    for (const row of known.values()) if (!kept.has(row)) row.root.remove();
    this.rows.forEach((row, i) => {
      if (this.root.children[i] !== row.root) this.root.insertBefore(row.root, this.root.children[i] ?? null);
      const part = parts[i];
      if (part) this.fill(row, part, i);
    });
    this.root.classList.toggle("several", this.headed());
  }

  private headed(): boolean {
    return this.script.parts.length > 1 || this.channels > 1 || this.script.parts.some((p) => (p.speaker ?? "") !== "");
  }

  private row(part: Part): Row {
    const speaker = element("button", { type: "button", class: "btn bare speaker" });
    const channel = element("button", { type: "button", class: "btn bare channel" });
    const times = element("span", { class: "n faint" });
    const head = element("div", { class: "seg-head" }, speaker, channel, times);
    const under = element("div", { class: "under", "aria-hidden": "true" });
    const field = element("textarea", { class: "text", rows: "1", spellcheck: "true", autocomplete: "off", autocapitalize: "off" });
    const root = element("div", { class: "segment" }, head, element("div", { class: "seg-text" }, under, field));
    return { part: part.id, root, speaker, channel, times, head, under, field, painted: "" };
  }

  private fill(row: Row, part: Part, at: number): void {
    if (row.field.value !== part.text) row.field.value = part.text;
    row.head.hidden = !this.headed();
    const speaker = part.speaker ?? "";
    row.speaker.textContent = speaker === "" ? "Speaker" : speaker.length === 1 ? `Speaker ${speaker}` : speaker;
    row.speaker.title = "Next speaker  Alt A";
    const channel = part.channel ?? 0;
    row.channel.hidden = this.channels < 2;
    row.channel.textContent = channel === 0 ? "All channels" : `Channel ${channel}`;
    row.channel.title = "Next channel  Alt C";
    row.times.textContent = `${clock(part.begin, 1)}–${clock(part.end, 1)}`;
    const several = this.script.parts.length > 1;
    row.field.setAttribute("aria-label", several ? `Segment ${at + 1} of ${this.script.parts.length}, ${clock(part.begin, 1)} to ${clock(part.end, 1)}${speaker === "" ? "" : `, speaker ${speaker}`}` : "Transcript");
    row.field.placeholder = several ? "" : "Write what you hear";
  }

  /** Tints the words. Fields whose words look as before are left alone. */
  paint(timing: Timing, faults: ReadonlyMap<number, readonly (readonly [number, number])[]>): void {
    this.rows.forEach((row, segment) => {
      const words = timing.words.filter((w) => w.segment === segment);
      const wrong = faults.get(segment) ?? [];
      const looks = words.map((w) => look(w, timing.exact, wrong));
      const text = row.field.value;
      const painted = `${text}\n${looks.join(",")}`;
      if (row.painted === painted) return;
      row.painted = painted;
      row.under.replaceChildren(...spans(text, words, looks));
    });
    this.mark(this.current, true);
  }

  /** Marks the word under the play head. */
  mark(word: TimedWord | null, again = false): void {
    if (!again && word?.segment === this.current?.segment && word?.from === this.current?.from) return;
    this.current = word;
    this.root.querySelector(".wd.cur")?.classList.remove("cur");
    if (!word) return;
    this.rows[word.segment]?.under.querySelector(`[data-from="${word.from}"]`)?.classList.add("cur");
  }
}

function look(word: TimedWord, exact: boolean, wrong: readonly (readonly [number, number])[]): string {
  const doubt = doubtOf(word.confidence);
  const classes = ["wd"];
  if (word.tag) classes.push("tagged");
  else if (doubt > 0) classes.push(`k${doubt}`);
  else if (exact && word.origin !== "heard") classes.push("mine");
  if (wrong.some(([from, to]) => word.from < to && from < word.to)) classes.push("wrong");
  return classes.join(" ");
}

function spans(text: string, words: readonly TimedWord[], looks: readonly string[]): (Node | string)[] {
  const nodes: (Node | string)[] = [];
  let at = 0;
  words.forEach((word, i) => {
    // A text that was changed a moment ago may be shorter than its words.
    if (word.from < at || word.to > text.length) return;
    nodes.push(text.slice(at, word.from), element("span", { class: looks[i] ?? "wd", "data-from": String(word.from) }, text.slice(word.from, word.to)));
    at = word.to;
  });
  // The last line needs something in it to be as high as the field's.
  nodes.push(text.slice(at), "\u200b");
  return nodes;
}

/** How many words a text has. */
export function wordsOf(text: string): number {
  return tokens(text).length;
}
