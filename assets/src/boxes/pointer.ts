// Mouse, pen and fingers on the canvas, by pointer events alone.
import type { Scope } from "../shared/scope";
import type { Editor, Hit } from "./editor";
import { between, type Handle, handlePoint, moved, onGrid, type Point, resized, rotated, snapped, turnedBy } from "./geometry";
import { knobOf } from "./knob";
import type { Box } from "./model";
import type { Viewport } from "./viewport";

/** What the pointer works on; the canvas provides it. */
export interface Ground {
  readonly stage: HTMLElement;
  readonly editor: Editor;
  readonly view: Viewport;
  /** Whether a press is to move the view: Space is held. */
  readonly hand: boolean;
  /** The view was moved or zoomed. */
  viewChanged(): void;
  /** The pointer is here on the stage, or has left it. */
  pointed(at: Point | null): void;
}

type Gesture =
  | { readonly kind: "pan"; last: Point; moved: boolean; readonly click: Hit }
  | { readonly kind: "draw"; readonly from: Point; readonly press: Point }
  | { readonly kind: "move"; readonly box: Box; readonly from: Point; readonly press: Point; readonly label: string; readonly theirs?: string }
  | { readonly kind: "resize"; readonly box: Box; readonly handle: Handle; readonly offset: Point; readonly press: Point }
  | { readonly kind: "turn"; readonly box: Box; readonly from: Point; readonly press: Point };

const clickSlack = 3;
const mouseReach = 6;
const touchReach = 14;
const borderReach = 5;
// A knob turns by tenths of a degree, with Shift by these.
const fine = 0.1;
const coarse = 15;

export class Pointer {
  private gesture: Gesture | null = null;
  private readonly fingers = new Map<number, Point>();
  private origin: Point = { x: 0, y: 0 };
  private fresh: PointerEvent | null = null;
  private queued = false;
  private cursor = "";
  /** How many moves were taken in; read by the measurements. */
  moves = 0;

  constructor(
    private readonly ground: () => Ground,
    stage: HTMLElement,
    private readonly scope: Scope,
  ) {
    const measure = (): void => {
      const r = stage.getBoundingClientRect();
      this.origin = { x: r.left, y: r.top };
    };
    scope.on(stage, "pointerenter", measure);
    scope.on(stage, "pointerdown", (e) => {
      measure();
      this.down(e);
    });
    scope.on(stage, "pointermove", (e) => this.move(e));
    scope.on(stage, "pointerup", (e) => this.up(e));
    scope.on(stage, "pointercancel", (e) => this.cancel(e));
    scope.on(stage, "pointerleave", () => this.ground().pointed(null));
    scope.on(stage, "wheel", (e) => this.wheel(e), { passive: false });
    scope.on(stage, "contextmenu", (e) => e.preventDefault());
  }

  get busy(): boolean {
    return this.gesture !== null;
  }

  private at(e: MouseEvent): Point {
    return { x: e.clientX - this.origin.x, y: e.clientY - this.origin.y };
  }

  private down(e: PointerEvent): void {
    const g = this.ground();
    g.stage.focus({ preventScroll: true });
    g.stage.setPointerCapture(e.pointerId);
    const p = this.at(e);
    if (e.pointerType === "touch") this.fingers.set(e.pointerId, p);
    if (this.fingers.size > 1) {
      this.abandon();
      return;
    }
    this.gesture = this.begin(e, p, g);
  }

  private begin(e: PointerEvent, p: Point, g: Ground): Gesture {
    const at = g.view.toImage(p);
    const hit = this.hit(p, e, g);
    const pan: Gesture = { kind: "pan", last: p, moved: false, click: e.button === 0 ? hit : { kind: "none" } };
    if (e.button !== 0 || g.hand || !g.editor.editable) return pan;
    if (hit.kind === "handle") {
      // The box does not jump to the pointer when it is grabbed beside its side.
      const side = handlePoint(hit.box, hit.handle);
      const offset = { x: side.x - at.x, y: side.y - at.y };
      return { kind: "resize", box: hit.box, handle: hit.handle, offset, press: p };
    }
    if (hit.kind === "knob") return { kind: "turn", box: hit.box, from: at, press: p };
    if (g.editor.tool === "draw") return { kind: "draw", from: this.onImage(at, g), press: p };
    if (hit.kind === "box") {
      g.editor.choose(hit.box.id);
      return { kind: "move", box: hit.box, from: at, press: p, label: "Move" };
    }
    if (hit.kind === "overlay") return { kind: "move", box: { ...hit.box, id: g.editor.ownId(hit.box.id) }, from: at, press: p, label: "Amended", theirs: hit.box.id };
    return pan;
  }

  private hit(p: Point, e: PointerEvent, g: Ground): Hit {
    const { editor, view } = g;
    const box = editor.turnable;
    const reach = view.reach(e.pointerType === "touch" ? touchReach : mouseReach);
    return editor.hit(view.toImage(p), reach, box && knobOf(box, view).at);
  }

  private onImage(p: Point, g: Ground): Point {
    return onGrid(snapped(p, g.editor.bounds, g.view.reach(borderReach)));
  }

  // Moves are taken in as they come and drawn once a frame.
  private move(e: PointerEvent): void {
    this.moves++;
    if (e.pointerType === "touch" && this.fingers.size > 1) {
      this.pinch(e);
      return;
    }
    this.fresh = e;
    if (this.queued) return;
    this.queued = true;
    this.scope.frame(() => this.drain());
  }

  // Takes in the newest position that the device reported, between frames too.
  private drain(): void {
    this.queued = false;
    const e = this.fresh;
    this.fresh = null;
    if (!e) return;
    const p = this.at(e.getCoalescedEvents?.().at(-1) ?? e);
    const g = this.ground();
    if (this.gesture) this.follow(this.gesture, p, e.shiftKey, g);
    else this.look(p, e, g);
    g.pointed(p);
  }

  private follow(gesture: Gesture, p: Point, shift: boolean, g: Ground): void {
    const { editor, view } = g;
    const at = view.toImage(p);
    if (gesture.kind === "pan") {
      const dx = p.x - gesture.last.x;
      const dy = p.y - gesture.last.y;
      if (!gesture.moved && Math.hypot(dx, dy) < clickSlack) return;
      gesture.moved = true;
      gesture.last = p;
      view.panBy(dx, dy);
      g.viewChanged();
      return;
    }
    if (editor.preview === null && near(p, gesture.press)) return;
    if (gesture.kind === "draw") {
      const rect = between(gesture.from, this.onImage(at, g), editor.bounds);
      editor.setPreview({ ...rect, id: "", class: editor.classId, rotation: 0 });
    } else if (gesture.kind === "move") {
      const d = onGrid({ x: at.x - gesture.from.x, y: at.y - gesture.from.y });
      editor.setPreview(moved(gesture.box, d.x, d.y, editor.bounds));
    } else if (gesture.kind === "turn") {
      editor.setPreview(rotated(gesture.box, turnedBy(gesture.box, gesture.from, at, shift ? coarse : fine), editor.bounds));
    } else {
      const free = { x: at.x + gesture.offset.x, y: at.y + gesture.offset.y };
      const to = gesture.box.rotation === 0 ? this.onImage(free, g) : onGrid(free);
      editor.setPreview(resized(gesture.box, gesture.handle, to, editor.bounds).box);
    }
  }

  private look(p: Point, e: PointerEvent, g: Ground): void {
    const hit = this.hit(p, e, g);
    g.editor.setHover(hit.kind === "none" ? null : hit.box.id);
    this.show(cursorFor(hit, g), g);
  }

  private show(cursor: string, g: Ground): void {
    if (this.cursor === cursor) return;
    this.cursor = cursor;
    g.stage.style.cursor = cursor;
  }

  /** Space was pressed or let go. */
  refreshCursor(): void {
    const g = this.ground();
    this.show(g.hand ? "grab" : g.editor.editable && g.editor.tool === "draw" ? "crosshair" : "default", g);
  }

  private up(e: PointerEvent): void {
    this.fingers.delete(e.pointerId);
    const gesture = this.gesture;
    if (!gesture) return;
    this.fresh = e;
    this.drain();
    this.gesture = null;
    const { editor, view } = this.ground();
    const box = editor.preview;
    editor.setPreview(null);
    if (gesture.kind === "pan") {
      if (!gesture.moved) editor.choose(gesture.click.kind === "none" ? null : gesture.click.box.id);
    } else if (gesture.kind === "draw") {
      if (box && Math.max(box.w, box.h) * view.scale >= clickSlack) editor.add(box);
      else this.click(gesture.press, e);
    } else if (box) editor.put(box, gesture.kind === "move" ? gesture.label : gesture.kind === "turn" ? "Turn" : "Resize");
    else if (gesture.kind === "move" && gesture.theirs !== undefined) editor.point(gesture.theirs);
  }

  private click(p: Point, e: PointerEvent): void {
    const g = this.ground();
    const { editor } = g;
    const hit = this.hit(p, e, g);
    editor.choose(hit.kind === "none" || hit.kind === "overlay" ? null : hit.box.id);
  }

  private cancel(e: PointerEvent): void {
    this.fingers.delete(e.pointerId);
    this.abandon();
  }

  /** Ends what the pointer was doing without a trace. True if there was something. */
  abandon(): boolean {
    const was = this.gesture !== null;
    this.gesture = null;
    this.fresh = null;
    this.ground().editor.setPreview(null);
    return was;
  }

  // Two fingers: the points of the image under them stay under them.
  private pinch(e: PointerEvent): void {
    const before = this.fingers.get(e.pointerId);
    const other = [...this.fingers].find(([id]) => id !== e.pointerId)?.[1];
    if (!before || !other) return;
    const now = this.at(e);
    this.fingers.set(e.pointerId, now);
    const g = this.ground();
    const apart = Math.hypot(before.x - other.x, before.y - other.y);
    const factor = apart > 1 ? Math.hypot(now.x - other.x, now.y - other.y) / apart : 1;
    g.view.panBy((now.x - before.x) / 2, (now.y - before.y) / 2);
    g.view.zoomAt({ x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 }, factor);
    g.viewChanged();
  }

  private wheel(e: WheelEvent): void {
    e.preventDefault();
    const g = this.ground();
    const lines = e.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const p = this.at(e);
    if (e.shiftKey) g.view.panBy(-(e.deltaX || e.deltaY) * lines, 0);
    // A pinch on a touchpad comes as a wheel with Ctrl and small steps.
    else g.view.zoomAt(p, Math.exp(-e.deltaY * lines * (e.ctrlKey ? 0.01 : 0.0015)));
    g.viewChanged();
  }
}

function near(a: Point, b: Point): boolean {
  return Math.hypot(a.x - b.x, a.y - b.y) < clickSlack;
}

// Cursors by the direction in which a side moves, an eighth of a turn apart; those of opposite sides are alike.
const cursors = ["ew-resize", "nwse-resize", "ns-resize", "nesw-resize"] as const;
const directions: Readonly<Record<Handle, number>> = { e: 0, se: 1, s: 2, sw: 3, w: 4, nw: 5, n: 6, ne: 7 };

function cursorFor(hit: Hit, g: Ground): string {
  if (g.hand || hit.kind === "knob") return "grab";
  if (hit.kind === "handle") return cursors[(directions[hit.handle] + Math.round(hit.box.rotation / 45) + 8) % 4] ?? "move";
  if (g.editor.editable && g.editor.tool === "draw") return "crosshair";
  return hit.kind === "none" ? "default" : g.editor.editable ? "move" : "pointer";
}
