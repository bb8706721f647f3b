import { adding, altering, type Aside, History, removing, replacing, replacingAll } from "./commands";
import type { ClassInfo, OverlayInfo, State } from "./contract";
import { boxAt, grown, handleAt, type Handle, moved, type Point, type Rect, rotated, type Size, sound } from "./geometry";
import type { Mode } from "./keys";
import { angle, type Box, Boxes, type Change, newId, spoken } from "./model";

export type Tool = "draw" | "select";

/** What became different, so that only that is drawn again. */
export type What = "boxes" | "choice" | "tool" | "class" | "hidden" | "preview" | "hover" | "pointed";

/** A place on the image under the pointer. */
export type Hit =
  | { readonly kind: "handle"; readonly box: Box; readonly handle: Handle }
  | { readonly kind: "knob"; readonly box: Box }
  | { readonly kind: "box"; readonly box: Box }
  | { readonly kind: "overlay"; readonly box: Box; readonly overlay: string }
  | { readonly kind: "none" };

/** What the person does to the boxes of one item; knows neither page nor server. */
export class Editor {
  readonly boxes: Boxes;
  readonly history: History;
  readonly bounds: Size;
  readonly mode: Mode;
  readonly classes: readonly ClassInfo[];
  overlays: readonly OverlayInfo[];
  tool: Tool;
  hidden = false;
  /** The box being drawn or dragged, not yet done. */
  preview: Box | null = null;
  hover: string | null = null;
  /** The box of an overlay that was clicked last. */
  pointed: string | null = null;
  /** Under which own id a box of an overlay is taken over; under a new one where none is said. */
  ownIds: ReadonlyMap<string, string> = new Map();
  private chosenId: string | null = null;
  private picked = false;
  private nextClass: number;

  constructor(
    state: State,
    private readonly changed: (what: What) => void,
    private readonly say: (text: string) => void,
  ) {
    this.boxes = new Boxes(state.boxes);
    this.history = new History(this.boxes);
    this.bounds = { w: state.image.width, h: state.image.height };
    this.mode = state.mode;
    this.classes = state.classes;
    this.overlays = state.overlays;
    this.tool = state.mode === "label" ? "draw" : "select";
    this.nextClass = state.classes[0]?.id ?? 0;
  }

  get editable(): boolean {
    return this.mode !== "view";
  }

  get chosen(): Box | null {
    return this.boxes.get(this.chosenId);
  }

  /** The box that has a knob to turn it by: not the one just drawn, beside which the next may begin. */
  get turnable(): Box | null {
    return this.editable && (this.picked || this.tool === "select") ? this.chosen : null;
  }

  /** The class that the next box gets. */
  get classId(): number {
    return this.nextClass;
  }

  classOf(box: { readonly class: number }): ClassInfo | null {
    return this.classes.find((c) => c.id === box.class) ?? null;
  }

  nameOf(box: { readonly class: number }): string {
    return this.classOf(box)?.name ?? "Unknown class";
  }

  private spoken(box: Box): string {
    return spoken(box, this.nameOf(box));
  }

  /** `picked`: chosen on purpose, so that a class key is meant for it; a box just drawn is not. */
  choose(id: string | null, picked = true): void {
    if (this.chosenId === id && this.picked === picked) return;
    this.chosenId = id;
    this.picked = picked && id !== null;
    const box = this.chosen;
    if (box && picked) {
      this.nextClass = this.classOf(box) ? box.class : this.nextClass;
      this.changed("class");
      this.say(`Box ${this.boxes.indexOf(box.id) + 1} of ${this.boxes.all.length}: ${this.spoken(box)}`);
    }
    this.changed("choice");
  }

  step(by: 1 | -1): void {
    const all = this.boxes.all;
    if (all.length === 0) return this.say("There are no boxes yet");
    const at = this.chosenId === null ? (by > 0 ? -1 : 0) : this.boxes.indexOf(this.chosenId);
    this.choose(all[(at + by + all.length) % all.length]?.id ?? null);
  }

  setTool(tool: Tool): void {
    if (!this.editable || this.tool === tool) return;
    this.tool = tool;
    this.changed("tool");
    this.say(tool === "draw" ? "Draw" : "Select");
  }

  toggleHidden(): void {
    this.hidden = !this.hidden;
    this.changed("hidden");
    this.say(this.hidden ? "Boxes hidden" : "Boxes shown");
  }

  /** The class of the box picked, and of the boxes drawn from now on. */
  setClass(id: number): void {
    const info = this.classes.find((c) => c.id === id);
    if (!info || !this.editable) return;
    this.nextClass = id;
    const box = this.picked ? this.chosen : null;
    if (box && box.class !== id) this.run("Class", replacing(this.boxes, { ...box, class: id }));
    this.changed("class");
    this.say(box ? `Box is ${info.name}` : `Next box: ${info.name}`);
  }

  private run(label: string, changes: readonly Change[], merge = ""): void {
    if (changes.length === 0) return;
    this.history.run(label, changes, merge, performance.now());
    this.changed("boxes");
  }

  add(rect: Rect, say = "New box"): Box {
    const box: Box = sound({ ...rect, id: newId(), class: this.nextClass, rotation: 0 }, this.bounds);
    this.run("New box", adding(this.boxes, box));
    this.choose(box.id, false);
    this.say(`${say}: ${this.spoken(box)}`);
    return box;
  }

  /** Puts a changed box in the place of the one of its id, or in as a new one, as one step of undo. */
  put(box: Box, label: string): void {
    const fit = sound(box, this.bounds);
    if (this.boxes.get(box.id)) this.run(label, replacing(this.boxes, fit));
    else {
      this.run(label, adding(this.boxes, fit));
      this.choose(box.id);
    }
    this.say(`${label}: ${this.spoken(fit)}`);
  }

  /** Takes over the box of an overlay as an own one. */
  adopt(overlay: string, id: string): Box | null {
    const theirs = this.overlays.find((o) => o.id === overlay)?.boxes.find((b) => b.id === id);
    if (!theirs || !this.editable) return null;
    const box = { ...theirs, id: this.ownId(id) };
    this.put(box, "Taken over");
    return box;
  }

  /** The id under which a box of an overlay is taken over. */
  ownId(theirs: string): string {
    return this.ownIds.get(theirs) ?? newId();
  }

  /** A box of an overlay was clicked. */
  point(id: string): void {
    this.pointed = id;
    this.changed("pointed");
  }

  /** Puts these boxes in and takes those ids out, with something beside the boxes, as one step of undo. */
  alter(label: string, put: readonly Box[], drop: readonly string[], aside: Aside): void {
    this.history.runWith(label, altering(this.boxes, put, drop), aside);
    this.changed("boxes");
    if (this.chosenId !== null && !this.chosen) this.choose(null);
    else this.changed("choice");
  }

  replaceAll(boxes: readonly Box[], label: string): void {
    this.run(label, replacingAll(this.boxes, boxes));
    if (!this.chosen) this.choose(null);
  }

  remove(): void {
    const box = this.editable ? this.chosen : null;
    if (!box) return;
    const at = this.boxes.indexOf(box.id);
    this.run("Delete", removing(this.boxes, box.id));
    this.choose(this.boxes.all[Math.min(at, this.boxes.all.length - 1)]?.id ?? null, false);
    this.say(`${this.nameOf(box)} deleted, ${this.boxes.all.length} left`);
  }

  duplicate(offset: number): void {
    const box = this.editable ? this.chosen : null;
    if (!box) return;
    const copy = moved({ ...box, id: newId() }, offset, offset, this.bounds);
    this.run("Duplicate", adding(this.boxes, copy));
    this.choose(copy.id);
  }

  nudge(dx: number, dy: number): boolean {
    const box = this.editable ? this.chosen : null;
    if (!box) return false;
    this.run("Move", replacing(this.boxes, moved(box, dx, dy, this.bounds)), `move ${box.id}`);
    return true;
  }

  grow(dw: number, dh: number): void {
    const box = this.editable ? this.chosen : null;
    if (!box) return;
    this.run("Resize", replacing(this.boxes, grown(box, dw, dh, this.bounds)), `grow ${box.id}`);
  }

  /** Turns the chosen box clockwise about its centre. */
  turn(degrees: number): void {
    const box = this.editable ? this.chosen : null;
    if (!box) return this.say("Choose a box first");
    const next = rotated(box, box.rotation + degrees, this.bounds);
    this.run("Turn", replacing(this.boxes, next), `turn ${box.id}`);
    this.say(next.rotation === 0 ? "Straight" : `Turned by ${angle(next.rotation)}`);
  }

  undo(): void {
    this.travel(this.history.undo(), "Undone");
  }

  redo(): void {
    this.travel(this.history.redo(), "Redone");
  }

  private travel(label: string | null, how: string): void {
    if (label === null) return this.say(how === "Undone" ? "Nothing to undo" : "Nothing to redo");
    this.changed("boxes");
    if (this.chosenId !== null && !this.chosen) this.choose(null);
    else this.changed("choice");
    this.say(`${how}: ${label}`);
  }

  setPreview(box: Box | null): void {
    if (this.preview === box) return;
    this.preview = box;
    this.changed("preview");
  }

  setHover(id: string | null): void {
    if (this.hover === id) return;
    this.hover = id;
    this.changed("hover");
  }

  /** What is under p. `reach` is how far off still counts, in image pixels; `knob` is where the knob of the turnable box sits. */
  hit(p: Point, reach: number, knob: Point | null = null): Hit {
    if (this.hidden) return { kind: "none" };
    const chosen = this.chosen;
    if (chosen && knob && Math.hypot(p.x - knob.x, p.y - knob.y) <= reach) return { kind: "knob", box: chosen };
    const handle = chosen && this.editable ? handleAt(chosen, p, reach) : null;
    if (chosen && handle) return { kind: "handle", box: chosen, handle };
    const box = boxAt(this.boxes.all, p, reach);
    if (box) return { kind: "box", box };
    for (const overlay of this.overlays) {
      const theirs = boxAt(overlay.boxes, p, reach);
      if (theirs) return { kind: "overlay", box: theirs, overlay: overlay.id };
    }
    return { kind: "none" };
  }
}
