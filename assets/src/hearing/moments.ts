// The moments that are taken, object by object, and the tracks that show whose they are.
import type { ClassInfo } from "../boxes/contract";
import { type Box, newId } from "../boxes/model";
import { element, icon } from "../shared/dom";
import type { Scope } from "../shared/scope";
import { part, type Player } from "./player";
import { type Answer, clock, type State, type Thing } from "./state";
import { same, type Taken } from "./taken";

/** A moment on a track, from and to in seconds. */
interface Bar {
  readonly node: HTMLElement;
  readonly from: number;
  readonly to: number;
}

export class Moments {
  taken: readonly Taken[] = [];
  private readonly judged = new Set<string>();
  private bars: Bar[] = [];

  constructor(
    private readonly root: HTMLElement,
    private readonly scope: Scope,
    private readonly state: State,
    private readonly player: Player,
    private readonly told: { readonly changed: () => void; readonly pick: (thing: Thing) => void },
  ) {
    for (const thing of state.objects) if (thing.settled && thing.merged) this.put(thing, thing.merged);
  }

  private get several(): boolean {
    return this.state.objects.length > 0;
  }

  get open(): readonly Thing[] {
    return this.state.objects.filter((t) => !this.judged.has(t.id) && !this.own(t));
  }

  own(thing: Thing): Taken | null {
    return this.taken.find((m) => m.thing === thing.id) ?? null;
  }

  /** "A", "merged", "left out", "to judge", "changed". */
  statusOf(thing: Thing): string {
    const own = this.own(thing);
    if (!own) return this.judged.has(thing.id) ? "left out" : "to judge";
    if (thing.merged && same(thing.merged, own)) return "merged";
    const at = thing.members.findIndex((m, i) => m >= 0 && same(this.state.answers[i]?.moments[m] ?? null, own));
    return at >= 0 ? (this.state.answers[at]?.letter ?? "") : "changed";
  }

  private put(thing: Thing, box: Box): void {
    this.taken = [...this.taken.filter((m) => m.thing !== thing.id), { ...box, id: thing.id, thing: thing.id }].sort((a, b) => a.x - b.x);
    this.judged.add(thing.id);
  }

  /** Takes what an answer has of an object: nothing, if it has nothing. */
  takeOf(thing: Thing, answer: number): void {
    const at = thing.members[answer] ?? -1;
    const box = this.state.answers[answer]?.moments[at];
    if (box) this.put(thing, box);
    else this.leaveOut(thing);
  }

  takeMerged(thing: Thing): void {
    if (thing.merged) this.put(thing, thing.merged);
    else this.leaveOut(thing);
  }

  leaveOut(thing: Thing): void {
    this.taken = this.taken.filter((m) => m.thing !== thing.id);
    this.judged.add(thing.id);
  }

  /** Takes all of an answer, or of the truth. */
  takeWhole(answer: Answer): void {
    const index = this.state.answers.indexOf(answer);
    this.taken = answer.moments.map((m, i) => {
      const thing = this.state.objects.find((t) => t.members[index] === i)?.id ?? "";
      return { ...m, id: String(i), thing };
    });
    for (const thing of this.state.objects) this.judged.add(thing.id);
  }

  takeAllMerged(): void {
    for (const thing of this.state.objects) this.takeMerged(thing);
  }

  /** Begins anew from moments that were kept. */
  restore(taken: readonly Taken[]): void {
    this.taken = taken;
    for (const thing of this.state.objects) this.judged.add(thing.id);
  }

  boxes(): Box[] {
    return this.taken.map(({ id, class: c, x, y, w, h, rotation }) => ({ id, class: c, x, y, w, h, rotation }));
  }

  // ---- showing

  private classOf(id: number): ClassInfo | null {
    return this.state.classes.find((c) => c.id === id) ?? null;
  }

  show(chosen: Thing | null): void {
    this.bars = [];
    const answers = this.state.answers.filter(() => this.several);
    const rows = answers.map((a, i) => this.track(a.letter, a.moments, (m) => this.state.objects.find((t) => t.members[i] === m) ?? null, chosen));
    const any = this.taken.length > 0 || answers.some((a) => a.moments.length > 0);
    if (any) rows.push(this.track(this.several ? "Taken" : "", this.taken, (m) => this.state.objects.find((t) => t.id === this.taken[m]?.thing) ?? null, chosen));
    part(this.root, "tracks").replaceChildren(...rows);
    this.place();
    for (const thing of this.state.objects) {
      const row = this.root.querySelector<HTMLElement>(`[data-object="${thing.id}"]`);
      const cell = row?.querySelector("[data-taken]");
      if (cell) cell.textContent = this.statusOf(thing);
      row?.classList.toggle("open", this.open.includes(thing));
      row?.toggleAttribute("aria-current", thing === chosen);
      if (thing === chosen) row?.scrollIntoView({ block: "nearest" });
    }
    this.list();
  }

  /** Lays the moments under the part of the sound that is shown. */
  place(): void {
    const { wave } = this.player;
    for (const { node, from, to } of this.bars) {
      const [begin, end] = [wave.share(from), wave.share(to)];
      node.hidden = end < 0 || begin > 100;
      node.style.insetInlineStart = `${begin}%`;
      node.style.inlineSize = `${end - begin}%`;
    }
  }

  private track(name: string, moments: readonly Box[], thingOf: (moment: number) => Thing | null, chosen: Thing | null): HTMLElement {
    const row = element("div", { class: name === "Taken" || name === "" ? "track taken" : "track" });
    if (name !== "") row.append(element("span", { class: "of", "aria-hidden": "true" }, name));
    moments.forEach((m, i) => {
      const info = this.classOf(m.class);
      const label = `${name} ${info?.name ?? "a class that is retired"}, ${clock(m.x)} to ${clock(m.x + m.w)}`.trim();
      const bar = element("button", { type: "button", class: `bar c${info?.slot ?? 0}`, title: label, "aria-label": label }, element("span", {}, info?.name ?? ""));
      this.bars.push({ node: bar, from: m.x, to: m.x + m.w });
      const thing = thingOf(i);
      if (thing && thing === chosen) bar.classList.add("lit");
      this.scope.on(bar, "click", () => {
        if (thing) this.told.pick(thing);
        this.player.playSpan(m.x, m.x + m.w);
      });
      row.append(bar);
    });
    return row;
  }

  // The moments that are taken, to be changed.
  private list(): void {
    const place = this.root.querySelector<HTMLElement>('[data-part="moment-list"]');
    if (!place) return;
    place.replaceChildren(...this.taken.map((m, i) => this.line(m, i)));
  }

  private line(m: Taken, i: number): HTMLElement {
    const info = this.classOf(m.class);
    const select = element("select", { class: "field", "aria-label": `Class of moment ${i + 1}` });
    for (const c of this.state.classes) select.append(element("option", c.id === m.class ? { value: String(c.id), selected: "" } : { value: String(c.id) }, c.name));
    if (!info) select.prepend(element("option", { value: String(m.class), selected: "" }, "a class that is retired"));
    const time = (label: string, value: number): HTMLInputElement =>
      element("input", { class: "field n", type: "number", step: "0.05", min: "0", max: String(this.state.seconds), value: value.toFixed(2), "aria-label": `${label} of moment ${i + 1}, in seconds` });
    const [begin, end] = [time("Begin", m.x), time("End", m.x + m.w)];
    const remove = element("button", { type: "button", class: "btn bare icon", "aria-label": `Remove moment ${i + 1}` }, icon("x"));
    const row = element("li", {}, element("i", { class: `sw c${info?.slot ?? 0}`, "aria-hidden": "true" }), select, begin, element("span", { class: "faint" }, "to"), end, remove);
    this.scope.on(select, "change", () => this.change(i, { ...m, class: Number(select.value) }));
    const timed = (): void => {
      const [x, until] = [Math.max(0, Number(begin.value)), Math.min(this.state.seconds, Number(end.value))];
      if (until > x) this.change(i, { ...m, x, w: until - x });
    };
    this.scope.on(begin, "change", timed);
    this.scope.on(end, "change", timed);
    this.scope.on(remove, "click", () => {
      this.taken = this.taken.filter((_, at) => at !== i);
      this.told.changed();
    });
    return row;
  }

  private change(i: number, moment: Taken): void {
    this.taken = this.taken.map((m, at) => (at === i ? moment : m));
    this.told.changed();
  }

  /** Marks a moment of a second at the play head. */
  add(): void {
    const c = this.state.classes[0];
    if (!c) return;
    const x = Math.min(Math.max(0, this.player.time), Math.max(0, this.state.seconds - 0.1));
    const w = Math.min(1, this.state.seconds - x);
    this.taken = [...this.taken, { id: newId(), thing: "", class: c.id, x, y: 0, w, h: 1, rotation: 0 }];
    this.told.changed();
  }
}
