// Joins the sound, its picture, the text, the lists beside it, the keys and the task.
import { type Content, contentOf, type Heard, type Mark, type SoundInfo, type State } from "../boxes/contract";
import { Keys } from "../boxes/keys";
import type { Box } from "../boxes/model";
import { Next, type Ready } from "../boxes/next";
import { MarkList, type Parts } from "../boxes/panels";
import { Refused, Server } from "../boxes/server";
import { openSheet } from "../boxes/sheet";
import { Status } from "../boxes/status";
import { type Bench as TaskBench, Task } from "../boxes/task";
import { element } from "../shared/dom";
import { emit } from "../shared/events";
import { announce } from "../shared/notices";
import { Scope } from "../shared/scope";
import { Acts } from "./acts";
import { askWider, soundReasons } from "./dialogs";
import { Ears } from "./ears";
import { Player } from "./player";
import { type Caret, Script, type Span } from "./script";
import { aroundRows, confidenceRow, faultRows, faultsOf, keyRows, momentRows, originRows, unitsOf } from "./side";
import { load, type Sound } from "./sound";
import { Text, wordsOf } from "./text";
import { clock } from "./time";
import { type Alternative, alternatives, spanOf, type TimedWord, type Timing, timing, wordAtTime } from "./timing";
import { Wave } from "./wave";
import { tokenAt } from "./words";

// The speed at which a person listens stays theirs from one utterance to the next.
const speedKept = "fiducial-speed";

// How long a page waits that could not say what it shows.
const shownAgain = 2000;

export class Bench implements TaskBench<Sound> {
  readonly next: Next<Sound>;
  readonly status: Status;
  readonly skipReasons = soundReasons;
  readonly load = load;
  readonly keys: Keys;
  server: Server;
  task!: Task<Sound>;
  player!: Player;
  ears!: Ears;
  script!: Script;
  text!: Text;
  wave!: Wave;
  sound!: SoundInfo;
  timing!: Timing;
  heard: readonly Heard[] = [];
  /** What is selected in the waveform. */
  selection: Span | null = null;
  private taskScope: Scope;
  private ownKeys: Record<string, string>;
  private stale = false;
  private readonly marks: MarkList;

  constructor(
    readonly root: HTMLElement,
    readonly parts: Parts,
    private state: State,
    media: Sound,
    private readonly nonce: string,
    readonly scope: Scope,
  ) {
    this.server = new Server(state.urls);
    this.next = new Next((after) => this.server.next(after, true), load);
    this.status = new Status(parts);
    this.ownKeys = { ...state.keys };
    this.keys = new Keys("write", this.ownKeys);
    this.taskScope = scope.child();
    this.marks = new MarkList(parts, scope, (mark) => this.goToMark(mark), this.server.can("dispute") ? (m, text) => this.task.dispute(m, text) : null);
    new Acts(this);
    this.begin(media);
    this.listen();
    if (document.activeElement === document.body) this.text.place(this.script.caret);
  }

  get classes(): State["classes"] {
    return this.state.classes;
  }

  // ---- tasks

  private begin(media: Sound): void {
    const { state, taskScope: scope } = this;
    if (!state.sound) return;
    const sound = state.sound;
    this.sound = sound;
    this.heard = sound.heard;
    this.selection = null;
    this.stale = false;
    this.next.arrived();
    this.status.load(state);
    this.marks.load(state.marks, true);
    this.player = new Player(media.audio, sound.lead, sound.seconds, scope, (what) => this.heardMore(what));
    this.ears = new Ears(media.audio, sound.channels, scope);
    this.player.setSpeed(Number(localStorage.getItem(speedKept) ?? 1) || 1);
    this.script = new Script(contentOf(state), sound.seconds, () => this.changed());
    this.timing = timing(this.script.parts, this.words());
    this.text = new Text(this.part("segments"), this.script, sound.channels, scope, {
      wrote: () => this.moved(), moved: () => this.moved(), undo: (back) => this.undo(back), pointed: (caret, alone) => this.pointed(caret, alone),
      speaker: (at) => this.speaker(at), channel: (at) => this.channel(at),
    });
    this.wave = new Wave(this.part("wave"), this.player, sound.seconds, sound.lead, sound.trail, this.nonce, scope, {
      select: (span) => this.select(span), hear: (word) => this.player.hear({ begin: word.start, end: word.end }),
      stretch: (id, span) => this.script.remark(id, span, performance.now()), choose: (moment) => this.select({ begin: moment.x, end: moment.x + moment.w }),
    });
    void media.outline.then((outline) => this.drawn(outline, scope));
    this.task = new Task(scope, state, this);
    this.tagButtons();
    this.showEars();
    this.refresh();
    this.heardMore("state");
  }

  private drawn(outline: Awaited<Sound["outline"]>, scope: Scope): void {
    if (scope.disposed) return;
    this.part("wave").classList.toggle("without", outline === null);
    if (!outline) return;
    this.player.begins(outline.left);
    void this.wave.draw(outline);
  }

  part(name: string): HTMLElement {
    return this.parts(name) ?? element("div");
  }

  show({ state, media }: Ready<Sound>): void {
    const address = `/label/${state.task}`;
    if (!state.sound || state.urls.classes !== this.state.urls.classes) return location.assign(address);
    this.root.classList.remove("erased");
    this.taskScope.dispose();
    this.taskScope = this.scope.child();
    this.server = new Server(state.urls);
    const same = state.task === this.state.task;
    this.state = state;
    if (!same) history.pushState({ task: state.task }, "", address);
    media.audio.dataset["part"] = "audio";
    this.parts("audio")?.replaceWith(media.audio);
    this.begin(media);
    if (this.server.can("shown")) void this.tellShown(this.server, this.taskScope);
    this.text.place(this.script.caret);
    emit(this.root, "boxes:task", { item: state.item, task: state.task, reason: state.reason });
    announce(`${state.title}, ${clock(state.sound.seconds, 0)}`);
  }

  // Until it is known there: an answer says it too, at the latest.
  private async tellShown(server: Server, scope: Scope): Promise<void> {
    await server.shown().catch((error: unknown) => {
      if (error instanceof Refused && error.passing && !scope.disposed) scope.after(shownAgain, () => void this.tellShown(server, scope));
    });
  }

  clear(): void {
    this.taskScope.dispose();
    this.taskScope = this.scope.child();
    const audio = this.parts("audio");
    audio?.removeAttribute("src");
    if (audio instanceof HTMLAudioElement) audio.load();
    for (const name of ["wave", "segments", "alternatives", "confidence", "moments", "origin", "rule-faults", "clock", "before", "after"]) this.parts(name)?.replaceChildren();
    this.heard = [];
    this.status.clear();
    this.marks.load([], false);
    this.root.classList.add("erased");
  }

  // ---- content

  content(): Content {
    return this.script.content;
  }

  take(content: Content, label: string): void {
    this.script.take(content, label);
    this.text.place(this.script.caret);
  }

  summary({ boxes, transcript }: Content): string {
    const words = wordsOf((transcript ?? []).map((s) => s.text).join(" "));
    const moments = boxes.length === 0 ? "" : boxes.length === 1 ? ", 1 moment" : `, ${boxes.length} moments`;
    return `${words} ${words === 1 ? "word" : "words"}${moments}`;
  }

  undo(back: boolean): void {
    const label = back ? this.script.undo() : this.script.redo();
    if (label === null) return announce(back ? "Nothing to undo" : "Nothing to redo");
    this.text.place(this.script.caret);
    announce(`${label} ${back ? "undone" : "done again"}`);
  }

  private changed(): void {
    this.text?.load();
    this.task?.changed(this.script.content);
    this.refresh();
  }

  /** Words of the hypothesis that the text is compared with. */
  private words(): Heard["words"] {
    return this.heard[0]?.words ?? [];
  }

  /** Follows in the next frame, once, however much has changed: writing never waits for it. */
  refresh(): void {
    if (this.stale) return;
    this.stale = true;
    this.taskScope.frame(() => {
      this.stale = false;
      this.draw();
    });
  }

  private draw(): void {
    const { script, sound } = this;
    this.timing = timing(script.parts, this.words());
    const faults = faultsOf(sound.rules, script.parts);
    this.text.paint(this.timing, unitsOf(faults, script.parts));
    this.showWave();
    this.fill("rule-faults", faultRows(faults, script.parts));
    this.fill("moments", momentRows(this.classes, script.moments, sound.seconds));
    for (const name of ["before", "after"] as const) this.fill(name, aroundRows(sound.around, name === "before"));
    this.fill("origin", originRows(sound, this.heard, this.timing, this.server.can("reveal")));
    this.fill("keys", keyRows(this.keys));
    const confidence = confidenceRow(this.timing, this.heard);
    this.part("confidence").hidden = confidence.length === 0;
    this.fill("confidence", confidence);
    this.part("next-doubt").hidden = confidence.length === 0;
    this.moved();
  }

  private fill(name: string, rows: readonly HTMLElement[]): void {
    const node = this.part(name);
    const fresh = element("div", {}, ...rows);
    // What has the focus is left alone while it looks as before.
    if (node.innerHTML !== fresh.innerHTML) node.replaceChildren(...fresh.childNodes);
  }

  private showWave(): void {
    this.wave.show({ words: this.words(), moments: this.script.moments, classes: this.classes, selection: this.chosen() ?? this.player.loop, cuts: this.cuts() });
  }

  private cuts(): number[] {
    const { parts, seconds } = this.script;
    return [...new Set(parts.flatMap((p) => [p.begin, p.end]))].filter((time) => time > 0 && time < seconds);
  }

  private tagButtons(): void {
    const buttons = this.sound.tags.map((tag) => {
      const row = this.keys.rows.find((k) => k.id === tag.act);
      const chord = row ? this.keys.chord(row) : tag.key ? `Alt ${tag.key.toUpperCase()}` : "";
      const caps = chord === "" ? [] : chord.split(" ").map((c) => element("kbd", {}, c));
      return element("button", { type: "button", class: "btn bare", "data-tag": tag.text, ...(tag.about ? { title: tag.about } : {}) }, element("span", { class: "mask" }, tag.text), ...caps);
    });
    this.part("tags").replaceChildren(...buttons);
  }

  // ---- cursor and selection

  /** The cursor went elsewhere, or what is under it changed. */
  private moved(): void {
    this.script.caret = this.text.caret();
    const word = this.wordAtCaret();
    const found = word ? this.alternativesOf(word) : [];
    const node = this.part("alternatives");
    node.hidden = found.length === 0;
    this.fill("alternatives", [
      element("span", { class: "faint" }, "Heard here"),
      ...found.map((a) => chip(a, word?.text === a.text)),
      ...(found.length > 1 ? [element("span", { class: "faint row" }, element("kbd", {}, "F4"))] : []),
    ]);
    this.showWave();
  }

  wordAtCaret(): TimedWord | null {
    const { segment, from } = this.script.caret;
    return tokenAt(this.timing.words.filter((w) => w.segment === segment), from);
  }

  /** What else was heard where a word is; nothing where all heard that word alone. */
  alternativesOf(word: TimedWord): readonly Alternative[] {
    if (!this.timing.exact || word.origin === "added") return [];
    const found = alternatives(this.heard.map((h) => h.words), word.start, word.end);
    return found.every((a) => a.text === word.text) ? [] : found;
  }

  select(span: Span | null): void {
    this.selection = span;
    this.showWave();
  }

  /** What is selected, in the text or else in the waveform. */
  chosen(): Span | null {
    return this.chosenWords() ?? this.selection;
  }

  private chosenWords(): Span | null {
    const { segment, from, to } = this.script.caret;
    return from < to ? spanOf(this.timing.words, segment, from, to) : null;
  }

  private pointed(caret: Caret, alone: boolean): void {
    this.script.caret = caret;
    const word = this.wordAtCaret();
    if (word && alone) this.hearWord(word);
    // While it plays, a click only moves the cursor: a word is mended without losing the place.
    else if (word && this.timing.exact && !this.player.playing && caret.from === caret.to) this.player.seek(word.start);
    this.moved();
  }

  hearWord(word: TimedWord): void {
    this.player.hear({ begin: word.start, end: word.end }, this.timing.exact ? 0.08 : 0.5);
    this.wave.reveal({ begin: word.start, end: word.end });
  }

  speaker(at: number): void {
    const name = this.script.nextSpeaker(at);
    announce(name === "" ? "No speaker" : `Speaker ${name}`);
  }

  channel(at: number): void {
    if (this.sound.channels < 2) return announce("The recording has one channel");
    const channel = this.script.nextChannel(at, this.sound.channels);
    announce(channel === 0 ? "All channels" : `Channel ${channel}`);
  }

  /** Hears the next channel alone. */
  alone(): void {
    if (this.sound.channels < 2) return announce("The recording has one channel");
    this.ears.next();
    this.showEars();
    announce(this.ears.only === 0 ? "All channels are heard" : `Channel ${this.ears.only} is heard alone`);
  }

  private showEars(): void {
    const { only } = this.ears;
    this.part("listen").hidden = this.sound.channels < 2;
    this.part("ears").textContent = only > 0 ? `Channel ${only}` : this.sound.channels === 2 ? "Both channels" : "All channels";
    this.wave.only(only);
  }

  mark(classId: number): void {
    const info = this.classes.find((c) => c.id === classId);
    const words = this.chosenWords();
    const span = words ?? this.selection;
    // What somebody says on a channel of two is a moment of that channel.
    const channel = words && this.sound.channels > 1 ? (this.script.parts[this.script.caret.segment]?.channel ?? 0) : 0;
    const done = this.script.mark(classId, span ?? { begin: 0, end: this.sound.seconds }, channel);
    announce(`${info?.name ?? "Moment"} ${done}${span ? "" : ", whole"}`);
  }

  private goToMark(mark: Mark): void {
    const moment = this.script.moments.find((m) => m.id === mark.box);
    const at = moment?.x ?? mark.x;
    if (at === undefined) return;
    const span = { begin: at, end: moment ? moment.x + moment.w : at + 1 };
    this.select(moment ? span : null);
    this.wave.reveal(span);
    this.player.seek(at);
  }

  moment(id: string | undefined): Box | undefined {
    return this.script.moments.find((m) => m.id === id);
  }

  // ---- sound

  private heardMore(what: "time" | "state"): void {
    if (!this.wave) return;
    const { player, sound } = this;
    this.wave.follow();
    this.text.mark(this.timing.exact ? wordAtTime(this.timing.words, player.time) : null);
    this.fill("clock", [element("span", {}, clock(player.time)), element("small", {}, ` / ${clock(sound.seconds)}`)]);
    if (what === "time") return;
    const play = this.part("play");
    play.classList.toggle("on", player.playing);
    const word = play.querySelector(".w");
    if (word) word.textContent = player.playing ? "Pause" : "Play";
    const use = play.querySelector("use");
    use?.setAttribute("href", (use.getAttribute("href") ?? "").replace(/#.*/, player.playing ? "#pause" : "#play"));
    this.part("speed").textContent = `${player.speed} ×`;
    this.part("loop").setAttribute("aria-pressed", String(player.loop !== null));
    localStorage.setItem(speedKept, String(player.speed));
    this.showWave();
  }

  // ---- what the server is asked for

  /** Shows what a model heard, once the own words are saved. */
  async reveal(): Promise<void> {
    if (!this.server.can("reveal")) return announce("There is nothing to reveal");
    try {
      await this.task.saved();
      const { heard } = await this.server.reveal(this.state.assignment);
      this.heard = heard;
      announce(heard.length === 0 ? "No model has heard this utterance" : "The hypothesis is shown");
      if (heard.length === 0) this.status.notice("info", "No model has heard this utterance.");
      this.refresh();
    } catch (error) {
      this.status.notice("warn", error instanceof Refused ? error.message : String(error));
    }
  }

  async wider(): Promise<void> {
    const answer = this.server.can("context") ? await askWider() : null;
    if (!answer) return;
    try {
      await this.task.saved();
      await this.server.widen(answer.seconds, answer.reason);
      const state = await this.server.state();
      this.show({ state, media: await load(state) });
    } catch (error) {
      this.status.notice("warn", error instanceof Refused ? error.message : String(error));
    }
  }

  openSheet(): void {
    const save = async (own: Record<string, string>): Promise<string> => {
      this.ownKeys = { ...own };
      this.refresh();
      try {
        await this.server.remap(own);
        return "Kept, for you, on every machine.";
      } catch (error) {
        return `In force until you leave this page; not kept: ${error instanceof Refused ? error.message : String(error)}`;
      }
    };
    openSheet(this.keys, this.ownKeys, this.server.can("keys") ? save : null);
  }

  private listen(): void {
    const { scope } = this;
    scope.on(window, "popstate", () => location.reload());
    const sheet = (e: Event): void => {
      if (!(e.target instanceof Element) || !e.target.closest("[data-keys-sheet]")) return;
      e.stopPropagation();
      this.openSheet();
    };
    scope.on(document as EventTarget, "click", sheet, { capture: true });
  }
}

function chip({ text, confidence }: Alternative, taken: boolean): HTMLElement {
  const sure = confidence === null ? [] : [element("span", { class: "n" }, confidence.toFixed(2))];
  return element("button", { type: "button", class: "chip", "data-instead": text, "aria-pressed": String(taken) }, text, ...sure);
}
