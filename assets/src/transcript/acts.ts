// What the keys and the buttons of the transcript workbench do.
import { chordOf } from "../boxes/keys";
import { announce } from "../shared/notices";
import type { Bench } from "./bench";
import type { Span } from "./script";
import { nextDoubt, timeAt } from "./timing";

const step = 2; // seconds

type Act = (e: KeyboardEvent | null) => void;

export class Acts {
  private readonly acts = new Map<string, Act>();

  constructor(private readonly bench: Bench) {
    this.listening();
    this.writing();
    this.dividing();
    this.marking();
    this.tasks();
    this.listen();
  }

  private on(id: string, act: Act): void {
    this.acts.set(id, act);
  }

  private listening(): void {
    const { bench } = this;
    this.on("play", () => bench.player.toggle());
    this.on("back", () => bench.player.skip(-step));
    this.on("ahead", () => bench.player.skip(step));
    this.on("slower", () => bench.player.pace(-1));
    this.on("faster", () => bench.player.pace(1));
    this.on("usual-speed", () => bench.player.setSpeed(1));
    this.on("loop", () => this.loop());
    this.on("listen", () => bench.alone());
    this.on("play-here", () => this.playHere());
    this.on("hear-word", () => {
      const word = bench.wordAtCaret();
      if (word) bench.hearWord(word);
      else announce("No word is at the cursor");
    });
    this.on("zoom-in-time", () => bench.wave.zoom(1));
    this.on("zoom-out-time", () => bench.wave.zoom(-1));
  }

  private writing(): void {
    const { bench } = this;
    this.on("next-doubt", () => this.doubt(1));
    this.on("previous-doubt", () => this.doubt(-1));
    this.on("other-word", () => this.otherWord());
    for (const id of ["unintelligible", "no-speech", "noise", "laughter"]) {
      this.on(id, () => {
        const tag = bench.sound.tags.find((t) => t.act === id);
        if (tag) bench.text.insert(tag.text);
        else announce("The rules have no such tag");
      });
    }
    this.on("undo", () => bench.undo(true));
    this.on("redo", () => bench.undo(false));
  }

  private dividing(): void {
    const { bench } = this;
    this.on("split", () => this.split());
    this.on("join", () => this.join(bench.text.caret().segment));
    this.on("next-segment", () => this.segment(1));
    this.on("previous-segment", () => this.segment(-1));
    this.on("begin-here", () => this.retime("begin"));
    this.on("end-here", () => this.retime("end"));
    this.on("speaker", () => bench.speaker(bench.text.caret().segment));
    this.on("channel", () => bench.channel(bench.text.caret().segment));
  }

  private marking(): void {
    const { bench } = this;
    this.on("moment", (e) => {
      const digit = e ? (chordOf(e).at(-1) ?? "") : "";
      const info = bench.classes.find((c) => c.key === digit);
      if (info) bench.mark(info.id);
      else announce(`No class has the key ${digit}`);
    });
    this.on("select-from", () => this.selectTo("begin"));
    this.on("select-to", () => this.selectTo("end"));
    this.on("let-go", () => {
      bench.player.repeat(null);
      bench.select(null);
    });
  }

  private tasks(): void {
    const { bench } = this;
    this.on("submit", () => this.submit());
    this.on("set-aside", () => void bench.task.skip());
    this.on("take-back", () => void bench.task.recall());
    this.on("recall", () => void bench.task.recall());
    this.on("reveal", () => void bench.reveal());
    this.on("wider", () => void bench.wider());
    this.on("sheet", () => bench.openSheet());
    this.on("keys", () => bench.openSheet());
  }

  // ---- each of them

  private loop(): void {
    const { bench } = this;
    if (bench.player.loop) return bench.player.repeat(null);
    const word = bench.wordAtCaret();
    const span: Span | null = bench.chosen() ?? (word && bench.timing.exact ? { begin: word.start, end: word.end } : null);
    bench.player.repeat(span ?? { begin: 0, end: bench.sound.seconds });
  }

  private playHere(): void {
    const { bench } = this;
    const { segment, from } = bench.text.caret();
    const time = timeAt(bench.timing.words, segment, from) ?? bench.script.parts[segment]?.begin ?? 0;
    bench.player.repeat(null);
    bench.player.seek(Math.max(-bench.sound.lead, time - 0.1));
    bench.player.play();
  }

  private doubt(by: 1 | -1): void {
    const { bench } = this;
    const { segment, from, to } = bench.text.caret();
    const word = nextDoubt(bench.timing.words, segment, by === 1 ? Math.max(from, to - 1) : from, by);
    if (!word) return announce("No doubtful word is left");
    bench.text.place({ segment: word.segment, from: word.from, to: word.to });
    bench.wave.reveal({ begin: word.start, end: word.end });
    bench.player.hear({ begin: word.start, end: word.end }, 0.25);
    announce(`${word.text}, confidence ${(word.confidence ?? 0).toFixed(2)}`);
  }

  private otherWord(): void {
    const { bench } = this;
    const word = bench.wordAtCaret();
    const found = word ? bench.alternativesOf(word) : [];
    const at = found.findIndex((a) => a.text === word?.text);
    const other = found[(at + 1) % Math.max(1, found.length)];
    if (!word || !other) return announce("Nothing else was heard here");
    this.instead(other.text);
  }

  private instead(text: string): void {
    const { bench } = this;
    const word = bench.wordAtCaret();
    if (!word) return;
    bench.text.replace({ segment: word.segment, from: word.from, to: word.to }, text);
    // The word stays chosen, so that the next key takes the next one.
    bench.text.place({ segment: word.segment, from: word.from, to: word.from + text.length });
    announce(text);
  }

  private split(): void {
    const { bench } = this;
    const { segment, from } = bench.text.caret();
    const part = bench.script.parts[segment];
    if (!part) return;
    const inside = bench.timing.words.filter((w) => w.segment === segment);
    const [before, after] = [inside.filter((w) => w.to <= from).at(-1), inside.find((w) => w.from >= from)];
    const head = bench.player.time;
    const known = bench.timing.exact && before && after ? (before.end + after.start) / 2 : null;
    bench.script.split(segment, from, known ?? (head > part.begin && head < part.end ? head : null));
    bench.text.place(bench.script.caret);
    announce("Split");
  }

  private join(segment: number): void {
    const { bench } = this;
    bench.script.join(segment);
    bench.text.place(bench.script.caret);
    announce("Joined");
  }

  private segment(by: 1 | -1): void {
    const { bench } = this;
    const segment = bench.text.caret().segment + by;
    const part = bench.script.parts[segment];
    if (!part) return announce(by === 1 ? "This is the last segment" : "This is the first segment");
    bench.text.place({ segment, from: 0, to: 0 });
    if (!bench.player.playing) bench.player.seek(part.begin);
  }

  private retime(side: "begin" | "end"): void {
    const { bench } = this;
    const { segment } = bench.text.caret();
    const moved = bench.script.retime(segment, side, bench.player.time);
    announce(moved ? `The segment ${side}s here` : "It cannot be set here");
  }

  private selectTo(side: "begin" | "end"): void {
    const { bench } = this;
    const time = Math.min(Math.max(bench.player.time, 0), bench.sound.seconds);
    const now = bench.selection ?? { begin: 0, end: bench.sound.seconds };
    const span = side === "begin" ? { begin: time, end: Math.max(now.end, time + 0.05) } : { begin: Math.min(now.begin, time - 0.05), end: time };
    bench.select({ begin: Math.max(0, span.begin), end: Math.min(bench.sound.seconds, span.end) });
    announce(`Selected ${(bench.selection?.begin ?? 0).toFixed(1)} to ${(bench.selection?.end ?? 0).toFixed(1)} seconds`);
  }

  private submit(): void {
    const { bench } = this;
    if (bench.script.parts.every((p) => p.text.trim() === "")) {
      bench.status.notice("warn", "Nothing is written yet. Write what is said; if nothing is, put in [no speech] with Alt S.");
      return bench.text.place(bench.script.caret);
    }
    void bench.task.submit();
  }

  // ---- where they come from

  private listen(): void {
    const { scope, root } = this.bench;
    scope.on(document, "keydown", (e) => this.key(e));
    scope.on(root, "click", (e) => this.click(e));
    // The cursor stays in the text while the mouse presses buttons; with the keyboard the focus goes where it goes.
    scope.on(root, "pointerdown", (e) => {
      if (e.target instanceof Element && e.target.closest("button") && !e.target.closest("dialog")) e.preventDefault();
    });
  }

  private key(e: KeyboardEvent): void {
    if (e.defaultPrevented || e.isComposing || document.querySelector("dialog[open]")) return;
    const { bench } = this;
    const target = e.target instanceof Element ? e.target : document.body;
    const written = target.closest('[data-part="segments"] textarea') !== null;
    const typing = target.matches("input:not([type=range],[type=radio],[type=checkbox]), textarea, select, [contenteditable]");
    const chord = chordOf(e);
    const key = bench.keys.find(chord);
    if (!key) return written ? this.unbound(e, chord) : undefined;
    if (key.id === "split" && !written) return;
    if (key.id === "join" && !(written && this.atBeginning())) return;
    const held = /^(Ctrl|Alt|F\d)/.test(chord) || chord === "Escape";
    if (typing && !held && !["split", "join"].includes(key.id)) return;
    if (typing && !written && ["undo", "redo", "let-go"].includes(key.id)) return;
    e.preventDefault();
    this.acts.get(key.id)?.(e);
  }

  private atBeginning(): boolean {
    const { segment, from, to } = this.bench.text.caret();
    return segment > 0 && from === 0 && to === 0;
  }

  // Keys of the rules' tags, and those that go from one segment to the next as within one text.
  private unbound(e: KeyboardEvent, chord: string): void {
    const { bench } = this;
    const tag = bench.sound.tags.find((t) => t.key && chord === `Alt ${t.key.toUpperCase()}`);
    const { segment, from, to } = bench.text.caret();
    const [before, here, after] = [bench.script.parts[segment - 1], bench.script.parts[segment], bench.script.parts[segment + 1]];
    const [atStart, atEnd] = [from === 0 && to === 0, from === to && to === here?.text.length];
    if (tag) bench.text.insert(tag.text);
    else if (["ArrowUp", "ArrowLeft"].includes(chord) && atStart && before) bench.text.place({ segment: segment - 1, from: before.text.length, to: before.text.length });
    else if (["ArrowDown", "ArrowRight"].includes(chord) && atEnd && after) bench.text.place({ segment: segment + 1, from: 0, to: 0 });
    else if (chord === "Delete" && atEnd && after) this.join(segment + 1);
    else return;
    e.preventDefault();
  }

  private click(e: MouseEvent): void {
    const { bench } = this;
    const target = e.target instanceof Element ? e.target : null;
    const found = (name: string): string | undefined => target?.closest<HTMLElement>(`[data-${name}]`)?.dataset[name];
    const [act, tag, classId, go, drop, instead, fault, around] = ["act", "tag", "class", "go", "drop", "instead", "fault", "around"].map(found);
    if (tag !== undefined) bench.text.insert(tag);
    else if (classId !== undefined) bench.mark(Number(classId));
    else if (drop !== undefined) bench.script.unmark(drop);
    else if (go !== undefined) this.hearMoment(go);
    else if (instead !== undefined) this.instead(instead);
    else if (fault !== undefined) this.goToFault(fault);
    else if (around !== undefined) this.hearAround(around);
    else if (act !== undefined) this.acts.get(act)?.(null);
  }

  private hearMoment(id: string): void {
    const { bench } = this;
    const moment = bench.moment(id);
    if (!moment) return;
    const span = { begin: moment.x, end: moment.x + moment.w };
    bench.select(span);
    bench.wave.reveal(span);
    bench.player.hear(span);
  }

  private hearAround(place: string): void {
    const [begin = 0, end = 0] = place.split(" ").map(Number);
    this.bench.player.hear({ begin, end });
  }

  private goToFault(place: string): void {
    const [segment = 0, from = 0, to = 0] = place.split(" ").map(Number);
    this.bench.text.place({ segment, from, to });
  }
}
