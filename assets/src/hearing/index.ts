// The reviewer's desk for an utterance: words chosen one by one, moments, decisions by key, the next item already there.
import "./hearing.css";
import { chordOf, Keys } from "../boxes/keys";
import { openSheet } from "../boxes/sheet";
import { fetchPage, show, type Waiting } from "../review/next";
import { element, icon } from "../shared/dom";
import { emit } from "../shared/events";
import { island, sweepIslands } from "../shared/islands";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { type Ground, type Mark, Reasons } from "./reasons";
import { Moments, same, type Taken } from "./moments";
import { part, Player } from "./player";
import { clock, type Segment, type State, stateOf, type Thing } from "./state";
import { Wording } from "./wording";

// The next item is fetched once the reviewer has settled on this one.
const prefetchAfter = 600;
const refusalStays = 8000;

interface Decided {
  readonly word: string;
  readonly name: string;
  readonly labelers: string;
  readonly undo: string;
  readonly next: string;
}

/** What was made of an item when somebody else decided first: it can be taken up again while the tab lives. */
interface Kept {
  readonly why: string;
  readonly texts: readonly string[];
  readonly taken: readonly Taken[];
  readonly marks: readonly Mark[];
}

/** What was decided last, on whichever item: it can be taken back from the next one. */
let last: Decided | null = null;
const kept = new Map<string, Kept>();

/** A place where the answers differ: a part of the words, or a moment. */
type Place = { readonly slot: number } | { readonly thing: Thing };

class Desk {
  private readonly state: State;
  private readonly keys: Keys;
  private readonly player: Player;
  private readonly words: Wording;
  private readonly moments: Moments;
  private readonly reasons: Reasons;
  private readonly opened = performance.now();
  private chosen: Place | null = null;
  private busy = false;
  private coming: Promise<Waiting | null> | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly scope: Scope,
  ) {
    const state = (this.state = stateOf(root));
    this.keys = new Keys("hear", state.keys);
    this.player = new Player(root, scope, state);
    this.words = new Wording(this.several ? state.parts : [], state.segments);
    this.moments = new Moments(root, scope, state, this.player, {
      changed: () => {
        if (this.words.whole !== null) this.words.whole = null;
        this.changed();
      },
      pick: (thing) => this.choose({ thing }),
    });
    this.reasons = new Reasons(root, scope, () => this.ground(), { send: () => void this.reject(), refuse: (text) => void this.refuse(text) });
    this.start();
    this.listen();
    root.dataset["ready"] = "";
    this.showLast();
    this.changed();
    this.offerKept();
    if (state.saw) void this.showModels();
    part(root, "stage").focus({ preventScroll: true });
    scope.after(prefetchAfter, () => void this.next());
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
    const { scope, root } = this;
    scope.on(document, "keydown", (e) => this.key(e));
    // Before the page's own sheet, which does not know the keys of this desk.
    scope.on(document, "keydown", (e) => this.sheet(e), { capture: true });
    scope.on(root, "click", (e) => this.click(e));
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

  // ---- keys

  private key(e: KeyboardEvent): void {
    if (e.defaultPrevented || e.isComposing || document.querySelector("dialog[open]")) return;
    const at = e.target instanceof HTMLElement ? e.target : null;
    const chord = chordOf(e);
    const typing = at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement || (at instanceof HTMLInputElement && at.type !== "radio" && at.type !== "checkbox");
    if (typing) {
      if (chord === "Escape") part(this.root, "stage").focus();
      else if (chord === "Ctrl Enter" && at?.dataset["segment"] !== undefined) void this.approve();
      else return;
      return e.preventDefault();
    }
    if (at && !at.matches("body, [data-part=stage], .variant") && (chord === "Space" || chord === "Enter" || chord.startsWith("Arrow"))) return;
    if (at && at !== document.body && !this.root.contains(at)) return;
    const action = this.keys.find(chord);
    if (!action || !this.act(action.id, chord)) return;
    e.preventDefault();
  }

  private sheet(e: KeyboardEvent): void {
    const typing = e.target instanceof HTMLElement && e.target.matches('textarea, select, input:not([type="radio"], [type="checkbox"])');
    if (typing || e.defaultPrevented || document.querySelector("dialog[open]") || this.keys.find(chordOf(e))?.id !== "keys") return;
    e.preventDefault();
    openSheet(this.keys, this.state.keys, null);
  }

  private act(id: string, chord = ""): boolean {
    switch (id) {
      case "hear-play": return this.did(this.player.toggle());
      case "hear-place": return this.did(this.playPlace());
      case "hear-back": return this.did(this.player.back());
      case "hear-slower": return this.did(this.player.speed(-1));
      case "hear-faster": return this.did(this.player.speed(1));
      case "hear-next": return this.did(this.step(1));
      case "hear-previous": return this.did(this.step(-1));
      case "hear-take": return this.did(this.take(Number(chord)));
      case "hear-merged": return this.did(this.takeMerged());
      case "hear-out": return this.did(this.leaveOut());
      case "hear-write": return this.did(this.write());
      case "hear-models": return this.did(void this.showModels());
      case "hear-leave": return this.did(this.choose(null));
      case "hear-approve": return this.did(void this.approve());
      case "hear-reject": return this.did(this.state.answers.length === 0 ? announce("There is no answer to send back") : this.reasons.open());
      case "hear-discard": return this.did(this.openDiscard());
      case "hear-undo": return this.did(void this.takeBack());
    }
    return false;
  }

  private did(_: unknown): true {
    return true;
  }

  private click(e: MouseEvent): void {
    const at = e.target instanceof Element ? e.target : null;
    const variant = at?.closest<HTMLElement>("[data-variant]");
    if (variant) {
      const slot = Number(variant.closest<HTMLElement>("[data-slot]")?.dataset["slot"]);
      this.choose({ slot });
      return this.variant(slot, Number(variant.dataset["variant"]));
    }
    const run = at?.closest<HTMLElement>("[data-run]")?.dataset["run"];
    const said = run === undefined ? undefined : this.state.parts[Number(run)];
    if (said) return this.player.playSpan(said.begin, said.end);
    const row = at?.closest<HTMLElement>("[data-object]")?.dataset["object"];
    const thing = this.state.objects.find((t) => t.id === row);
    if (thing) return this.choose({ thing });
    const act = at?.closest<HTMLElement>("[data-act]")?.dataset["act"];
    const acts: Readonly<Record<string, () => void>> = {
      play: () => this.player.toggle(),
      back: () => this.player.back(),
      "play-place": () => this.playPlace(),
      previous: () => this.step(-1),
      next: () => this.step(1),
      slower: () => this.player.speed(-1),
      faster: () => this.player.speed(1),
      "usual-speed": () => this.player.speed(0),
      models: () => void this.showModels(),
      "add-moment": () => this.moments.add(),
    };
    if (act !== undefined) return acts[act]?.();
    const decision = at?.closest<HTMLElement>("[data-review-act]")?.dataset["reviewAct"];
    if (decision === undefined) return;
    e.preventDefault();
    if (decision === "approve") void this.approve();
    if (decision === "reject") void this.reject();
    if (decision === "discard") this.openDiscard();
    if (decision === "throw") void this.decide("discarded", { note: this.part<HTMLInputElement>('input[name="discard_note"]')?.value ?? "" });
    if (decision === "leave-out") this.leaveOut();
  }

  // ---- places where the answers differ

  private get places(): readonly Place[] {
    return [...this.words.differing.map((slot): Place => ({ slot })), ...this.state.objects.map((thing): Place => ({ thing }))];
  }

  private indexOf(place: Place | null): number {
    return this.places.findIndex((p) => place !== null && ("slot" in p ? "slot" in place && p.slot === place.slot : "thing" in place && p.thing === place.thing));
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
    const at = this.indexOf(this.chosen);
    this.choose(all[at < 0 ? (by === 1 ? 0 : all.length - 1) : (at + by + all.length) % all.length] ?? null);
  }

  private choose(place: Place | null): void {
    this.chosen = place;
    this.changed();
    const group = this.slot === null ? null : this.part(`[data-slot="${this.slot}"]`);
    group?.scrollIntoView({ block: "nearest" });
    if (group) announce(`Place ${this.indexOf(place) + 1} of ${this.places.length}: ${(this.state.parts[this.slot ?? 0]?.variants ?? []).map((v, i) => `${i + 1} ${v.text === "" ? "no word" : v.text}`).join(", ")}`);
  }

  private playPlace(): void {
    const said = this.slot === null ? null : this.state.parts[this.slot];
    const box = this.thing && (this.moments.own(this.thing) ?? this.placeOf(this.thing));
    if (said) this.player.playSpan(said.begin, said.end);
    else if (box) this.player.playSpan(box.x, box.x + box.w);
    else this.player.playSpan(0, this.state.seconds);
  }

  private placeOf(thing: Thing): { readonly x: number; readonly w: number } | null {
    const at = thing.members.findIndex((m) => m >= 0);
    return thing.merged ?? this.state.answers[at]?.moments[thing.members[at] ?? -1] ?? null;
  }

  // ---- taking

  private variant(slot: number, n: number): void {
    const variant = this.state.parts[slot]?.variants[n];
    if (!variant) return announce(`There is no variant ${n + 1} here`);
    this.words.choose(slot, variant.text);
    announce(variant.text === "" ? "No word taken" : `${variant.text} taken`);
    this.onward();
  }

  // The next place that is still open comes of itself, as long as one was chosen.
  private onward(): void {
    const at = this.indexOf(this.chosen);
    const all = this.places;
    const rest = [...all.slice(at + 1), ...all.slice(0, Math.max(at, 0))];
    const open = rest.find((p) => ("slot" in p ? this.words.isOpen(p.slot) : this.moments.open.includes(p.thing)));
    if (open) return this.choose(open);
    this.changed();
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

  private write(): void {
    const segment = this.slot === null ? 0 : (this.state.parts[this.slot]?.segment ?? 0);
    this.part<HTMLTextAreaElement>(`textarea[data-segment="${segment}"]`)?.focus();
  }

  // ---- showing

  private get open(): number {
    return this.words.open.length + this.moments.open.length;
  }

  private get amended(): boolean {
    const from = this.truth && this.base === 0 ? this.state.truth : this.state.answers.find((a) => a.id === this.base);
    const boxes = this.moments.taken;
    return !from || this.words.whole === null || boxes.length !== from.moments.length || boxes.some((b, i) => !same(b, from.moments[i] ?? null));
  }

  private acceptWord(): string {
    const { whole } = this.words;
    if (this.truth && whole === "truth" && !this.amended) return "Confirm";
    if (!this.several) return this.state.answers.length === 0 ? "Take these words" : this.amended ? "Amend" : "Approve";
    if (this.open > 0) return `${this.open} to judge`;
    return whole === null ? "Take these words" : whole === "merged" ? "Approve merged" : whole === "truth" ? "Confirm" : `Approve ${whole}`;
  }

  private changed(typedIn: HTMLTextAreaElement | null = null): void {
    for (const area of this.root.querySelectorAll<HTMLTextAreaElement>("textarea[data-segment]")) {
      const text = this.words.texts[Number(area.dataset["segment"])] ?? "";
      if (area !== typedIn && area.value !== text) area.value = text;
    }
    for (const slot of this.words.differing) this.showSlot(slot);
    this.moments.show(this.thing);
    const word = this.part("[data-review-word]");
    if (word) word.textContent = `${this.acceptWord()}, next`;
    for (const input of this.root.querySelectorAll<HTMLInputElement>("input[data-overlay]")) input.checked = input.dataset["overlay"] === this.words.whole;
    const scope = this.part("[data-review-scope]");
    if (scope) scope.textContent = this.chosen ? "for the place chosen: by its number" : "an answer whole";
    this.root.querySelector<HTMLElement>("[data-review-out]")?.toggleAttribute("hidden", this.chosen === null);
    const made = this.part('[data-part="made"]');
    const words = this.words.texts.join(" ").split(/\s+/u).filter(Boolean).length;
    const open = this.words.open.length;
    if (made) made.textContent = `${words === 1 ? "1 word" : `${words} words`}${open === 0 ? "" : `; ${open === 1 ? "1 place is" : `${open} places are`} still to judge`}`;
    this.reasons.aim();
  }

  private showSlot(slot: number): void {
    const group = this.part(`[data-slot="${slot}"]`);
    if (!group) return;
    const open = this.words.isOpen(slot);
    const text = this.words.textOf(slot);
    group.classList.toggle("open", open);
    group.classList.toggle("own", this.words.isTyped(slot));
    group.toggleAttribute("aria-current", slot === this.slot);
    group.querySelectorAll<HTMLElement>("[data-variant]").forEach((button, i) => {
      const on = !open && !this.words.isTyped(slot) && text !== null && this.state.parts[slot]?.variants[i]?.text === text;
      button.setAttribute("aria-checked", String(on));
    });
  }

  // ---- reasons

  private ground(): Ground {
    const { state, player, thing, slot } = this;
    const said = slot === null ? null : state.parts[slot];
    if (said) {
      const most = said.variants[0]?.text ?? "";
      const guesses = state.answers.flatMap((a, i) => {
        const own = said.own[i] ?? "";
        return said.variants.slice(1).some((v) => v.who.split(", ").includes(a.letter)) ? [{ letter: a.letter, fault: own === "" ? "missed_words" : most === "" || own !== "" ? "wrong_words" : "" }] : [];
      });
      return { words: `about the words at ${clock(said.begin)}`, pin: () => ({ position: null, x: said.begin, y: 0 }), guesses };
    }
    if (thing) {
      const place = this.placeOf(thing);
      const guesses = state.answers.flatMap((a, i) => {
        const own = a.moments[thing.members[i] ?? -1];
        if (!own) return [{ letter: a.letter, fault: "missed_moment" }];
        if (thing.merged && own.class !== thing.merged.class) return [{ letter: a.letter, fault: "wrong_class" }];
        return thing.finding === "loose" ? [{ letter: a.letter, fault: "wrong_time" }] : [];
      });
      const pin = (annotation: number): { position: number | null; x: number | null; y: number | null } => {
        const at = thing.members[state.answers.findIndex((a) => a.id === annotation)] ?? -1;
        return at >= 0 ? { position: at, x: null, y: null } : { position: null, x: place ? place.x + place.w / 2 : 0, y: 0 };
      };
      return { words: `about moment ${state.objects.indexOf(thing) + 1}`, pin, guesses };
    }
    const time = Math.min(state.seconds, Math.max(0, player.time));
    if (player.placed && time > 0) return { words: `at the play head, ${clock(time)}`, pin: () => ({ position: null, x: time, y: 0 }), guesses: [] };
    return { words: "about a whole answer; click the waveform for a place", pin: () => ({ position: null, x: null, y: null }), guesses: [] };
  }

  // ---- what models heard

  private async showModels(): Promise<void> {
    const place = part(this.root, "models");
    if (this.state.models === "" || !place.hidden) return;
    const answer = await post(this.state.models, {}).catch(() => null);
    if (!answer?.ok) return emit(this.root, "notice", { tone: "bad", text: "What models heard could not be read. Try again." });
    const heard = (await answer.json()) as { model: string; text: string }[];
    place.replaceChildren(
      element("h3", {}, "What models heard"),
      ...heard.map((h) => element("p", {}, element("small", { class: "faint" }, h.model), element("span", {}, h.text === "" ? "nothing" : h.text))),
    );
    place.hidden = false;
    this.part('[data-part="ask-models"]')?.setAttribute("hidden", "");
    announce("What models heard is shown, and that you saw it is kept");
  }

  // ---- decisions

  private approve(): Promise<void> {
    const { words } = this;
    if (this.truth && words.whole === "truth" && !this.amended) return this.decide("approved", { annotation: 0 });
    if (this.open > 0) {
      this.choose(null);
      this.onward();
      return this.refuse(`${this.open === 1 ? "One place needs" : `${this.open} places need`} a judgment still: take a variant by its number, m for what most have, or e to write.`);
    }
    if (this.several && words.whole === "merged" && this.mergedMoments) return this.decide("merged", { annotation: 0 });
    const whole = this.state.answers.find((a) => a.letter === words.whole);
    if (whole && this.sameMoments(whole.moments)) return this.decide("approved", { annotation: whole.id });
    const transcript = words.whole === "truth" && this.state.truth ? this.state.truth.segments : (whole?.segments ?? words.transcript());
    return this.decide("amended", { annotation: this.several || (this.truth && this.base === 0) ? 0 : this.base, transcript, boxes: this.moments.boxes() });
  }

  private get mergedMoments(): boolean {
    const merged = this.state.objects.flatMap((t) => t.merged ?? []);
    return this.sameMoments(merged);
  }

  private sameMoments(list: readonly { readonly x: number }[]): boolean {
    const left = [...this.moments.taken];
    for (const m of list) {
      const at = left.findIndex((own) => same(own, m as Taken));
      if (at < 0) return false;
      left.splice(at, 1);
    }
    return left.length === 0;
  }

  private reject(): Promise<void> {
    const problem = this.reasons.begun || this.reasons.marks.length === 0 ? this.reasons.pin() : "";
    if (problem === "") return this.decide("rejected", { annotation: this.base || (this.state.answers[0]?.id ?? 0), marks: this.reasons.marks });
    this.reasons.open();
    return this.refuse(problem);
  }

  private openDiscard(): void {
    const details = this.part<HTMLDetailsElement>("[data-review-discard]");
    if (details) details.open = true;
    this.part<HTMLInputElement>('input[name="discard_note"]')?.focus();
  }

  // Says over the page why nothing was decided, until something is done.
  private refuse(text: string): Promise<void> {
    const region = part(this.root, "notice");
    const note = element("div", { class: "note info", role: "status" }, icon("info"), element("p", {}, text));
    region.replaceChildren(note);
    const over = this.scope.child();
    const end = (): void => {
      over.dispose();
      note.remove();
    };
    over.after(refusalStays, end);
    over.on(this.root, "input", end);
    over.on(this.root, "click", end);
    return Promise.resolve();
  }

  private async decide(decision: string, more: object): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.root.classList.add("sending");
    const body = { version: Number(this.root.dataset["version"]), decision, activeMs: Math.round(performance.now() - this.opened), ...more };
    try {
      const answer = await post(this.address, body);
      if (answer.ok) await this.goOn((await answer.json()) as Decided);
      else await this.failed(answer);
    } catch {
      emit(this.root, "notice", { tone: "bad", text: "The server cannot be reached. Nothing was decided; try again when the connection is back." });
    } finally {
      this.busy = false;
      this.root.classList.remove("sending");
    }
  }

  private async failed(answer: Response): Promise<void> {
    const fault = (await answer.json().catch(() => ({}))) as { detail?: string };
    const text = fault.detail ?? "The server could not do this. Nothing was changed; try again.";
    if (answer.status !== 409) return emit(this.root, "notice", { tone: "bad", text });
    kept.set(this.address, { why: text, texts: this.words.texts, taken: this.moments.taken, marks: this.reasons.marks });
    const now = await fetchPage(location.href, this.scope.signal);
    if (now) swap(now);
  }

  private get address(): string {
    return this.root.dataset["action"] ?? "";
  }

  // ---- what somebody else's decision left undone

  private offerKept(): void {
    const mine = kept.get(this.address);
    if (!mine) return;
    const region = part(this.root, "notice");
    const again = element("button", { type: "button", class: "btn" }, "Take mine up again");
    const drop = element("button", { type: "button", class: "btn bare" }, "Leave it");
    const done = (): void => {
      kept.delete(this.address);
      region.replaceChildren();
      part(this.root, "stage").focus({ preventScroll: true });
    };
    this.scope.on(again, "click", () => {
      this.words.set(null, mine.texts);
      this.moments.restore(mine.taken);
      this.reasons.restore(mine.marks);
      this.changed();
      done();
    });
    this.scope.on(drop, "click", done);
    const text = element("p", {}, element("b", {}, "Your decision was not stored. "), `${mine.why} What you had made of it is kept.`);
    region.replaceChildren(element("div", { class: "note warn", role: "alert" }, icon("triangle-alert"), text, element("span", { class: "row end" }, again, drop)));
  }

  private next(): Promise<Waiting | null> {
    this.coming ??= fetchPage(this.root.dataset["next"] ?? "", this.scope.signal).catch(() => null);
    return this.coming;
  }

  private async goOn(done: Decided): Promise<void> {
    last = done;
    kept.delete(this.address);
    announce(`${done.name}: ${done.word}${done.labelers === "" ? "" : `. The answers were those of ${done.labelers}`}`);
    const ready = await this.next();
    if (ready) return swap(ready);
    // What was not there some seconds ago may be by now.
    location.assign(done.next);
  }

  // ---- taking back

  private showLast(): void {
    const place = this.part("[data-review-last]");
    if (!place || !last) return;
    const undo = element("button", { type: "button", class: "btn bare" }, icon("undo-2"), "Undo ", element("kbd", {}, "u"));
    this.scope.on(undo, "click", () => void this.takeBack());
    const whose = last.labelers === "" ? [] : [element("span", { class: "faint whose", title: last.labelers }, last.labelers)];
    place.replaceChildren(element("span", {}, `${last.word}: ${last.name}`), ...whose, undo);
    place.hidden = false;
  }

  private async takeBack(): Promise<void> {
    if (!last) return announce("Nothing was decided yet on this page");
    const answer = await post(last.undo, {}).catch(() => null);
    const said = (await answer?.json().catch(() => ({}))) as { item?: string; detail?: string } | undefined;
    if (!answer?.ok || said?.item === undefined) {
      return emit(this.root, "notice", { tone: "warn", text: said?.detail ?? "The server cannot be reached. Nothing was taken back." });
    }
    last = null;
    const page = await fetchPage(said.item, this.scope.signal).catch(() => null);
    if (page) swap(page);
    else location.assign(said.item);
  }
}

function swap(page: Waiting): void {
  show(page);
  sweepIslands();
}

function post(address: string, body: object): Promise<Response> {
  return fetch(address, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(body) });
}

island("hearing-desk", (root, scope) => void new Desk(root, scope));
