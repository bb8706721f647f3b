// The reviewer's desk for an utterance: words chosen one by one, moments, decisions by key, the next item already there.
import "./hearing.css";
import { Keys } from "../boxes/keys";
import { Decisions } from "../review/decisions";
import { keep, offerKept } from "../review/kept";
import { refuse } from "../review/refusal";
import { island } from "../shared/islands";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { Commands } from "./commands";
import { groundOf } from "./ground";
import { showModels } from "./models";
import { Moments } from "./moments";
import { indexOf, nextOpen, type Place, placesOf, spanOf, stepped } from "./places";
import { part, Player } from "./player";
import { type Mark, Reasons } from "./reasons";
import { Spoken } from "./spoken";
import { type Segment, type State, stateOf, type Thing } from "./state";
import type { Taken } from "./taken";
import { acceptWord, type Made, verdictOf } from "./verdict";
import { Wording } from "./wording";

/** What is kept of an item that somebody else decided first. */
interface Left {
  readonly texts: readonly string[];
  readonly taken: readonly Taken[];
  readonly marks: readonly Mark[];
}

class Desk {
  private readonly state: State;
  private readonly player: Player;
  private readonly words: Wording;
  private readonly spoken: Spoken;
  private readonly moments: Moments;
  private readonly reasons: Reasons;
  private readonly decisions: Decisions;
  private chosen: Place | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly scope: Scope,
  ) {
    const state = (this.state = stateOf(root));
    // The picture says that it has moved before there are moments under it.
    const placed: { moments?: Moments } = {};
    this.player = new Player(root, scope, state, () => placed.moments?.place());
    this.words = new Wording(this.several ? state.parts : [], state.segments);
    this.spoken = new Spoken(root, state, this.words);
    this.moments = placed.moments = new Moments(root, scope, state, this.player, {
      changed: () => {
        if (this.words.whole !== null) this.words.whole = null;
        this.changed();
      },
      pick: (thing) => this.choose({ thing }),
    });
    const head = (): number | null => (this.player.placed ? this.player.time : null);
    this.reasons = new Reasons(root, scope, () => groundOf(state, this.chosen, head()), { send: () => void this.reject(), refuse: (text) => this.refuse(text) });
    this.start();
    this.listen();
    root.dataset["ready"] = "";
    this.decisions = new Decisions(root, scope, (why) => this.keep(why));
    this.changed();
    offerKept(root, scope, this.decisions.address, (made) => this.takeUp(made as Left));
    if (state.saw) this.showModels();
    part(root, "stage").focus({ preventScroll: true });
  }

  private part<T extends HTMLElement>(selector: string): T | null {
    return this.root.querySelector<T>(selector);
  }

  private get several(): boolean {
    return this.root.dataset["several"] !== undefined;
  }

  private get truth(): boolean {
    return this.root.dataset["truth"] !== undefined;
  }

  private get base(): number {
    return Number(this.root.dataset["base"] ?? 0);
  }

  // What the page begins with: the truth, the only answer, or what most have.
  private start(): void {
    const { state } = this;
    if (state.begin === "truth" && state.truth) this.takeTexts("truth", state.truth.segments, () => state.truth && this.moments.takeWhole(state.truth));
    else if (state.begin !== "") this.takeWhole(state.begin);
  }

  private takeTexts(which: string, segments: readonly Segment[], then: () => unknown): void {
    const fits = segments.length === this.state.segments.length;
    this.words.set(which, fits ? segments.map((s) => s.text) : [segments.map((s) => s.text).join(" ")]);
    then();
  }

  private listen(): void {
    const { scope, root, state } = this;
    new Commands(root, scope, new Keys("hear", state.keys), state.keys, {
      act: (id, chord) => this.act(id, chord),
      decide: (button) => this.decide(button),
      variant: (slot, n) => {
        this.choose({ slot });
        this.variant(slot, n);
      },
      run: (at) => {
        const said = state.parts[at];
        if (said) this.player.playSpan(said.begin, said.end);
      },
      object: (id) => {
        const thing = state.objects.find((t) => t.id === id);
        if (thing) this.choose({ thing });
      },
      approve: () => this.approve(),
    });
    scope.on(root, "input", (e) => {
      if (!(e.target instanceof HTMLTextAreaElement)) return;
      this.words.type(Number(e.target.dataset["segment"]), e.target.value);
      this.changed(e.target);
    });
    scope.on(root, "submit", (e) => {
      if (e.target instanceof HTMLFormElement && e.target.id === "review-form") e.preventDefault();
    });
    scope.on(root, "change", (e) => {
      const choice = e.target instanceof HTMLInputElement ? e.target.dataset["overlay"] : undefined;
      if (choice !== undefined) this.takeWhole(choice);
    });
    scope.on(part(root, "wave"), "pointerdown", () => this.reasons.aim());
    scope.on(window, "popstate", () => location.reload());
  }

  private act(id: string, chord: string): boolean {
    const { player } = this;
    const acts: Readonly<Record<string, () => unknown>> = {
      "hear-play": () => player.toggle(),
      "hear-place": () => this.playPlace(),
      "hear-back": () => player.back(),
      "hear-slower": () => player.speed(-1),
      "hear-faster": () => player.speed(1),
      "usual-speed": () => player.speed(0),
      "zoom-in-time": () => player.wave.zoom(1),
      "zoom-out-time": () => player.wave.zoom(-1),
      "hear-next": () => this.step(1),
      "hear-previous": () => this.step(-1),
      "hear-take": () => this.take(Number(chord)),
      "hear-merged": () => this.takeMerged(),
      "hear-out": () => this.leaveOut(),
      "hear-write": () => this.spoken.write(this.slot),
      "hear-models": () => this.showModels(),
      "hear-leave": () => this.choose(null),
      "hear-approve": () => this.approve(),
      "hear-reject": () => (this.state.answers.length === 0 ? announce("There is no answer to send back") : this.reasons.open()),
      "hear-discard": () => this.openDiscard(),
      "hear-undo": () => this.decisions.takeBack(),
      "add-moment": () => this.moments.add(),
    };
    acts[id]?.();
    return id in acts;
  }

  private decide(button: string): void {
    const acts: Readonly<Record<string, () => unknown>> = {
      approve: () => this.approve(),
      reject: () => this.reject(),
      discard: () => this.openDiscard(),
      throw: () => this.decisions.send("discarded", { note: this.part<HTMLInputElement>('input[name="discard_note"]')?.value ?? "" }),
      "leave-out": () => this.leaveOut(),
    };
    acts[button]?.();
  }

  // ---- places where the answers differ

  private get places(): readonly Place[] {
    return placesOf(this.words.differing, this.state.objects);
  }

  private get slot(): number | null {
    return this.chosen && "slot" in this.chosen ? this.chosen.slot : null;
  }

  private get thing(): Thing | null {
    return this.chosen && "thing" in this.chosen ? this.chosen.thing : null;
  }

  private step(by: 1 | -1): void {
    const all = this.places;
    if (all.length === 0) return announce("The answers do not differ");
    this.choose(stepped(all, this.chosen, by));
  }

  private choose(place: Place | null): void {
    this.chosen = place;
    this.changed();
    const span = this.spanChosen();
    if (span) this.player.wave.reveal(span.begin, span.end);
    const group = this.slot === null ? null : this.spoken.group(this.slot);
    group?.scrollIntoView({ block: "nearest" });
    if (group) announce(`Place ${indexOf(this.places, place) + 1} of ${this.places.length}: ${this.spoken.variants(this.slot ?? 0)}`);
  }

  private spanChosen(): { readonly begin: number; readonly end: number } | null {
    const said = this.slot === null ? null : this.state.parts[this.slot];
    const box = this.thing && (this.moments.own(this.thing) ?? spanOf(this.state, this.thing));
    return said ? { begin: said.begin, end: said.end } : box ? { begin: box.x, end: box.x + box.w } : null;
  }

  private playPlace(): void {
    const { begin, end } = this.spanChosen() ?? { begin: 0, end: this.state.seconds };
    this.player.playSpan(begin, end);
  }

  // The next place that is still open comes of itself, as long as one was chosen.
  private onward(): void {
    const open = nextOpen(this.places, this.chosen, (p) => ("slot" in p ? this.words.isOpen(p.slot) : this.moments.open.includes(p.thing)));
    if (open) return this.choose(open);
    this.changed();
  }

  // ---- taking

  private variant(slot: number, n: number): void {
    const variant = this.state.parts[slot]?.variants[n];
    if (!variant) return announce(`There is no variant ${n + 1} here`);
    this.words.choose(slot, variant.text);
    announce(variant.text === "" ? "No word taken" : `${variant.text} taken`);
    this.onward();
  }

  private take(n: number): void {
    if (this.slot !== null) return this.variant(this.slot, n - 1);
    const answer = this.state.answers[n - 1];
    if (!answer) return announce(`There is no answer ${n}`);
    if (this.thing) {
      this.moments.takeOf(this.thing, n - 1);
      return this.onward();
    }
    this.takeWhole(answer.letter);
  }

  private takeWhole(letter: string): void {
    const { state, words } = this;
    const at = state.answers.findIndex((a) => a.letter === letter);
    const answer = letter === "truth" ? state.truth : state.answers[at];
    if (letter === "merged") {
      words.take("merged", (p) => p.merged);
      this.moments.takeAllMerged();
    } else if (answer && at >= 0 && this.several) {
      words.take(letter, (p) => p.own[at] ?? p.merged);
      this.moments.takeWhole(answer);
    } else if (answer) {
      this.takeTexts(letter, answer.segments, () => this.moments.takeWhole(answer));
      if (!this.several && letter !== "truth") this.root.dataset["base"] = String(answer.id);
    }
    this.chosen = null;
    announce(letter === "merged" ? "What most have is taken" : `${letter === "truth" ? "The truth" : `Answer ${letter}`} is taken`);
    this.changed();
  }

  private takeMerged(): void {
    if (!this.several) return announce("There is a single answer");
    if (this.slot !== null) {
      this.words.choose(this.slot, this.state.parts[this.slot]?.merged ?? "");
      this.onward();
    } else if (this.thing) {
      this.moments.takeMerged(this.thing);
      this.onward();
    } else this.takeWhole("merged");
  }

  private leaveOut(): void {
    if (this.slot !== null) this.words.choose(this.slot, "");
    else if (this.thing) this.moments.leaveOut(this.thing);
    else return announce("Choose a place first: j goes to the next one");
    this.onward();
  }

  // ---- showing

  private get made(): Made {
    const { state, several, truth, base, words, moments } = this;
    return { state, several, truth, base, whole: words.whole, taken: moments.taken, open: words.open.length + moments.open.length };
  }

  private changed(typedIn: HTMLTextAreaElement | null = null): void {
    this.spoken.show(this.slot, typedIn);
    this.moments.show(this.thing);
    const word = this.part("[data-review-word]");
    if (word) word.textContent = `${acceptWord(this.made)}, next`;
    for (const input of this.root.querySelectorAll<HTMLInputElement>("input[data-overlay]")) input.checked = input.dataset["overlay"] === this.words.whole;
    const scope = this.part("[data-review-scope]");
    if (scope) scope.textContent = this.chosen ? "for the place chosen: by its number" : "an answer whole";
    this.part("[data-review-out]")?.toggleAttribute("hidden", this.chosen === null);
    this.reasons.aim();
  }

  private showModels(): void {
    void showModels(this.root, this.state.models);
  }

  // ---- decisions

  private approve(): void {
    const { open } = this.made;
    const verdict = verdictOf(this.made, () => this.words.transcript(), () => this.moments.boxes());
    if (verdict) {
      const { decision, ...more } = verdict;
      return void this.decisions.send(decision, more);
    }
    this.choose(null);
    this.onward();
    this.refuse(`${open === 1 ? "One place needs" : `${open} places need`} a judgment still: take a variant by its number, m for what most have, or e to write.`);
  }

  private reject(): void {
    const { reasons } = this;
    const problem = reasons.begun || reasons.marks.length === 0 ? reasons.pin() : "";
    if (problem === "") return void this.decisions.send("rejected", { annotation: this.base || (this.state.answers[0]?.id ?? 0), marks: reasons.marks });
    reasons.open();
    this.refuse(problem);
  }

  private refuse(text: string): void {
    refuse(this.root, this.scope, text, (over, end) => {
      for (const type of ["input", "click"] as const) over.on(this.root, type, end);
    });
  }

  private openDiscard(): void {
    const details = this.part<HTMLDetailsElement>("[data-review-discard]");
    if (details) details.open = true;
    this.part<HTMLInputElement>('input[name="discard_note"]')?.focus();
  }

  // ---- what somebody else's decision left undone

  private keep(why: string): void {
    const left: Left = { texts: this.words.texts, taken: this.moments.taken, marks: this.reasons.marks };
    keep(this.decisions.address, why, left);
  }

  private takeUp(mine: Left): void {
    this.words.set(null, mine.texts);
    this.moments.restore(mine.taken);
    this.reasons.restore(mine.marks);
    this.changed();
  }
}

island("hearing-desk", (root, scope) => void new Desk(root, scope));
