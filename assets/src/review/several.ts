// Several answers to one item: what is taken of them, object by object or whole.
import type { BoxWorkbench } from "../boxes/index";
import { completed, type State } from "../boxes/contract";
import { hull } from "../boxes/geometry";
import type { Box } from "../boxes/model";
import { listen } from "../shared/events";
import { announce } from "../shared/notices";
import type { Scope } from "../shared/scope";
import { type Matching, Objects, type Thing } from "./objects";
import { ObjectTable, wordOf } from "./table";

/** The matching that the page holds, or null for a single answer. */
export function matchingOf(root: HTMLElement): Matching | null {
  const text = root.querySelector("#review-matching")?.textContent;
  return text ? (JSON.parse(text) as Matching) : null;
}

export class Several {
  readonly objects: Objects;
  private readonly table: ObjectTable | null;
  /** The objects about which something was decided, be it that they are left out. */
  private judged: ReadonlySet<string>;
  private chosen: Thing | null = null;
  private hovered: Thing | null = null;
  private choosing = false;
  private boxChosen: string | null = null;
  private changed = false;

  constructor(
    private readonly root: BoxWorkbench,
    scope: Scope,
    private readonly state: State,
    matching: Matching,
    private readonly told: () => void,
  ) {
    this.objects = new Objects(matching, state.overlays);
    this.judged = new Set(matching.objects.filter((thing) => thing.settled).map((thing) => thing.id));
    const place = root.querySelector<HTMLElement>("[data-review-objects]");
    if (place) place.dataset["reviewKeys"] = "";
    this.table = place && new ObjectTable(place, scope, this.objects, { choose: (thing, byMouse) => this.pick(thing, byMouse), hover: (thing) => this.hover(thing) });
    if (place) scope.on(place, "keydown", (e) => this.arrows(e));
    root.nameOverlays(this.objects.ownIds());
    this.bindKeys();
    listen(scope, root, "boxes:hover", ({ id }) => this.hover(this.objects.of(id)));
    listen(scope, root, "boxes:point", ({ id }) => this.choose(this.objects.of(id)));
    listen(scope, root, "boxes:choose", ({ box }) => {
      const id = box?.id ?? null;
      const same = id === this.boxChosen;
      this.boxChosen = id;
      // A box that an undo takes away leaves its object chosen.
      if (this.choosing || same || (id === null && this.chosen && !this.own(this.chosen))) return;
      this.show(this.objects.of(id));
    });
  }

  private bindKeys(): void {
    const { root } = this;
    root.bind("take", (_, digit) => this.take(this.letters[Number(digit) - 1] ?? "", digit));
    root.bind("take-merged", () => this.take("merged"));
    if (this.objects.all.length === 0) return;
    root.bind("leave-out", () => this.leaveOut());
    root.bind("next-object", () => this.step(1));
    root.bind("previous-object", () => this.step(-1));
    // A box that is deleted leaves its object out; the next key is for that object still.
    root.bind("delete", (usual) => (this.chosen ? this.leaveOut() : usual()));
    root.bind("leave", (usual) => {
      usual();
      this.choose(null);
    });
  }

  /** The letters of the labelers' answers. */
  private get letters(): readonly string[] {
    return this.state.overlays.map((o) => o.id).filter((id) => id !== "truth");
  }

  get current(): Thing | null {
    return this.chosen;
  }

  /** The objects that still need a judgment. */
  get open(): readonly Thing[] {
    const own = new Set(this.root.boxes.map((b) => b.id));
    return this.objects.all.filter((thing) => !own.has(thing.id) && !this.judged.has(thing.id));
  }

  private own(thing: Thing): Box | null {
    return this.root.boxes.find((b) => b.id === thing.id) ?? null;
  }

  private status(thing: Thing): ReturnType<Objects["status"]> {
    return this.objects.status(thing, this.own(thing), this.judged.has(thing.id));
  }

  /** "A", "merged", "truth": which choice is taken, for the object chosen or whole; null for none. */
  taken(): string | null {
    if (!this.chosen) return this.open.length > 0 ? null : this.objects.wholeOf(this.root.boxes, ["merged", ...this.letters, "truth"]);
    const status = this.status(this.chosen);
    if (status === "out") return this.chosen.merged ? null : "merged";
    return typeof status === "object" ? status.answer : status === "merged" ? "merged" : null;
  }

  // ---- choosing

  private arrows(e: KeyboardEvent): void {
    if ((e.key !== "ArrowDown" && e.key !== "ArrowUp") || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    this.step(e.key === "ArrowDown" ? 1 : -1);
  }

  /** Chooses the next object, or the one before. */
  step(by: 1 | -1): void {
    const { all } = this.objects;
    const at = this.chosen ? all.indexOf(this.chosen) : by > 0 ? -1 : 0;
    this.choose(all[(at + by + all.length) % all.length] ?? null);
  }

  private pick(thing: Thing, byMouse: boolean): void {
    if (thing !== this.chosen) this.choose(thing);
    if (byMouse) this.root.querySelector<HTMLElement>('[data-part="stage"]')?.focus({ preventScroll: true });
  }

  /** Chooses an object with its box, and brings it into sight; null lets it go. */
  choose(thing: Thing | null): void {
    this.quietly(() => this.root.choose(thing && this.own(thing) ? thing.id : null));
    const place = thing && (this.own(thing) ?? this.objects.place(thing));
    if (place) this.root.reveal(hull(place));
    this.show(thing);
    if (thing) announce(`Object ${this.objects.all.indexOf(thing) + 1} of ${this.objects.all.length}: ${this.words(thing)}`);
  }

  // The box is chosen for the object, not the object for the box.
  private quietly(run: () => void): void {
    const before = this.choosing;
    this.choosing = true;
    run();
    this.choosing = before;
  }

  private words(thing: Thing): string {
    const row = this.root.querySelector(`[data-object="${thing.id}"] th`)?.textContent?.trim().replace(/\s+/g, " ") ?? "";
    return `${row}, ${wordOf(this.status(thing))}`;
  }

  private show(thing: Thing | null): void {
    this.chosen = thing;
    this.told();
    this.table?.choose(thing);
    if (thing) this.table?.focus(thing);
  }

  private hover(thing: Thing | null): void {
    if (thing === this.hovered) return;
    this.hovered = thing;
    this.table?.hover(thing);
    this.light();
  }

  private light(): void {
    const thing = this.hovered ?? this.chosen;
    this.root.light(thing ? this.objects.lights(thing) : []);
  }

  // ---- taking

  /** Takes an answer, the merged boxes or the truth: for the object chosen, else whole. */
  take(choice: string, digit = ""): void {
    if (choice === "") return announce(`There is no answer ${digit}`);
    const name = choice === "merged" ? "Merged boxes" : choice === "truth" ? "Truth" : `Answer ${choice}`;
    if (!this.chosen) {
      const boxes = this.objects.whole(choice);
      const drop = this.root.boxes.map((b) => b.id).filter((id) => !boxes.some((b) => b.id === id));
      return this.alter(`${name} taken`, boxes, drop, this.objects.all);
    }
    const thing = this.chosen;
    const box = choice === "merged" ? thing.merged : choice === "truth" ? (this.objects.matching.truth.find((b) => b.id === thing.id) ?? null) : this.objects.boxOf(thing, choice);
    if (!box) return this.leaveOut(`${name}: nothing here`);
    this.alter(`${name} taken`, [box], [], [thing]);
  }

  /** Leaves the object chosen out. */
  leaveOut(label = "Left out"): void {
    const thing = this.chosen;
    if (!thing) return announce("Choose an object first");
    this.alter(label, [], this.own(thing) ? [thing.id] : [], [thing]);
  }

  // One step of undo, also where only the judgment differs.
  private alter(label: string, put: readonly Box[], drop: readonly string[], things: readonly Thing[]): void {
    const before = this.judged;
    const after = new Set([...before, ...things.map((thing) => thing.id)]);
    const to = (judged: ReadonlySet<string>) => (): void => void (this.judged = judged);
    const { chosen } = this;
    this.quietly(() => this.root.alter(label, put, drop, { redo: to(after), undo: to(before) }));
    announce(label);
    this.show(chosen);
  }

  /** Puts boxes back that were kept elsewhere; what they are for is judged. */
  restore(boxes: readonly Box[], judged: readonly string[]): void {
    const drop = this.root.boxes.map((b) => b.id).filter((id) => !boxes.some((b) => b.id === id));
    this.alter("Taken up again", boxes, drop, this.objects.all.filter((thing) => judged.includes(thing.id)));
  }

  get judgedIds(): readonly string[] {
    return [...this.judged];
  }

  /** Brings the page in line with the boxes. */
  refresh(): void {
    const { chosen } = this;
    if (chosen && this.boxChosen === null && this.own(chosen)) this.quietly(() => this.root.choose(chosen.id));
    const own = new Map(this.root.boxes.map((b) => [b.id, b]));
    for (const thing of this.objects.all) this.table?.show(thing, this.objects.status(thing, own.get(thing.id) ?? null, this.judged.has(thing.id)));
    const open = this.open.length;
    const hint = this.root.querySelector("[data-review-hint]");
    if (hint && this.changed && this.objects.all.length > 0) {
      hint.textContent = open > 0 ? `${open} of ${this.objects.all.length} need${open === 1 ? "s" : ""} a judgment: j goes to the next one, m takes all merged boxes.` : "All are judged. Press a to approve.";
    }
    this.choices();
    this.light();
  }

  /** The boxes are not those any more that the page began with. */
  begun(): void {
    this.changed = true;
  }

  // The list of what can be taken says what it would be for the object chosen.
  private choices(): void {
    const { root, chosen } = this;
    const scope = root.querySelector("[data-review-scope]");
    if (scope) scope.textContent = chosen ? `for object ${this.objects.all.indexOf(chosen) + 1}` : "an answer whole";
    const out = root.querySelector<HTMLElement>("[data-review-out]");
    if (out) out.hidden = chosen === null;
    const taken = this.taken();
    for (const input of root.querySelectorAll<HTMLInputElement>("input[data-overlay]")) {
      const choice = input.dataset["overlay"] ?? "";
      input.checked = choice === taken;
      const text = input.parentElement?.querySelector<HTMLElement>(".t");
      if (!text) continue;
      text.dataset["whole"] ??= text.textContent ?? "";
      text.textContent = chosen ? this.offer(chosen, choice) : text.dataset["whole"];
    }
  }

  private offer(thing: Thing, choice: string): string {
    const box = choice === "merged" ? thing.merged : choice === "truth" ? (this.objects.matching.truth.find((b) => b.id === thing.id) ?? null) : this.objects.boxOf(thing, choice);
    if (box) return this.state.classes.find((c) => c.id === box.class)?.name ?? "a class that is retired";
    const split = thing.members.some((m) => m.fault === "split_needed");
    if (choice === "merged") return split ? "left out: the boxes inside are taken" : "left out: most have nothing here";
    if (thing.wide.some((m) => m.answer === choice)) return "inside a wide box";
    return choice === "truth" || thing.missing.includes(choice) ? "nothing here" : "several boxes inside";
  }
}

/** The workbench's state as the page holds it. */
export function stateOf(root: HTMLElement): State {
  return completed(JSON.parse(root.querySelector("#workbench-state")?.textContent ?? "{}") as State);
}
