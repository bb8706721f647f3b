// What stands above the image at constant size: the chosen box with its handles, the box being
// drawn, names, reviewers' pins, the crosshair. All of it is placed in pixels of the screen.
import { element } from "../shared/dom";
import type { Mark } from "./contract";
import type { Editor } from "./editor";
import { centre, hull, intersects, type Point, type Rect, turn } from "./geometry";
import { knobOf } from "./knob";
import { angle, type Box } from "./model";
import { set, svg } from "./svg";
import type { Viewport } from "./viewport";

const handleSize = 7;
const flagHeight = 18;
// With more boxes in sight than this only the chosen one and the one under the pointer bear their name.
const mostFlags = 40;

export class Overlay {
  private readonly around = svg("rect", { class: "case" });
  private readonly line = svg("rect", { class: "line" });
  private readonly handles = Array.from({ length: 8 }, () => svg("rect", { class: "handle", width: handleSize, height: handleSize }));
  private readonly stem = svg("path", { class: "stem" });
  private readonly knob = svg("circle", { class: "handle", r: 4.5 });
  private readonly turning = svg("g", {}, this.stem, this.knob);
  private readonly active = svg("g", { class: "active" }, this.turning, this.around, this.line, ...this.handles);
  private readonly glow = svg("rect", { class: "glow" });
  private readonly sheet = svg("svg", { class: "above", "aria-hidden": "true" }, this.glow, this.active);
  private readonly flags = element("div", { class: "flags", "aria-hidden": "true" });
  private readonly pins = element("div", { class: "flags pins" });
  private readonly tag = element("div", { class: "dim", "aria-hidden": "true" });
  private readonly across = element("div", { class: "cross across", "aria-hidden": "true" });
  private readonly down = element("div", { class: "cross down", "aria-hidden": "true" });
  private readonly placed = new Map<string, { box: Box; node: HTMLElement }>();
  private at: Point = { x: 0, y: 0 };
  private dirty = true;
  private scale = 0;
  private marks: readonly Mark[] = [];

  constructor(private readonly stage: HTMLElement) {
    stage.append(this.sheet, this.flags, this.pins, this.across, this.down, this.tag);
  }

  /** Moves the crosshair; null hides it. */
  point(p: Point | null): void {
    const hidden = p === null;
    this.across.classList.toggle("hidden", hidden);
    this.down.classList.toggle("hidden", hidden);
    if (!p) return;
    this.across.style.transform = `translate(${p.x}px, ${p.y}px)`;
    this.down.style.transform = `translate(${p.x}px, ${p.y}px)`;
  }

  /** The boxes, the choice or what is in sight changed, so that names must be chosen anew. */
  stale(): void {
    this.dirty = true;
  }

  draw(editor: Editor, view: Viewport): void {
    this.drawActive(editor, view);
    this.drawGlow(editor, view);
    this.drawFlags(editor, view);
    this.drawPins(editor, view);
  }

  private drawActive(editor: Editor, view: Viewport): void {
    const box = editor.preview ?? editor.chosen;
    const shown = box !== null && !editor.hidden;
    this.active.classList.toggle("hidden", !shown);
    this.tag.classList.toggle("hidden", editor.preview === null);
    if (!box || !shown) return;
    const r = view.rectToScreen(box);
    set(this.active, { class: `active c${editor.classOf(box)?.slot ?? 0}` });
    const turned = box.rotation === 0 ? "" : `rotate(${box.rotation} ${r.x + r.w / 2} ${r.y + r.h / 2})`;
    for (const rect of [this.around, this.line]) set(rect, { x: r.x, y: r.y, width: r.w, height: r.h, transform: turned });
    this.drawHandles(r, turned, editor.editable && (editor.preview === null || editor.chosen !== null));
    this.drawKnob(box, editor, view);
    if (editor.preview) this.drawTag(editor.preview, view);
  }

  private drawKnob(box: Box, editor: Editor, view: Viewport): void {
    const shown = editor.turnable?.id === box.id;
    this.turning.classList.toggle("hidden", !shown);
    if (!shown) return;
    const { at, below } = knobOf(box, view);
    const k = view.toScreen(at);
    const side = view.toScreen(turn({ x: box.x + box.w / 2, y: below ? box.y + box.h : box.y }, centre(box), box.rotation));
    set(this.stem, { d: `M${side.x} ${side.y}L${k.x} ${k.y}` });
    set(this.knob, { cx: k.x, cy: k.y });
  }

  private drawHandles(r: Rect, turned: string, shown: boolean): void {
    const xs = [r.x, r.x + r.w / 2, r.x + r.w];
    const ys = [r.y, r.y + r.h / 2, r.y + r.h];
    let i = 0;
    for (const [row, y] of ys.entries()) {
      for (const [column, x] of xs.entries()) {
        if (row === 1 && column === 1) continue;
        const handle = this.handles[i++];
        // Those in the middle of a side give way where there is no room for them.
        const room = (column !== 1 || r.w > 3 * handleSize) && (row !== 1 || r.h > 3 * handleSize);
        handle?.classList.toggle("hidden", !shown || !room);
        if (handle) set(handle, { x: x - handleSize / 2, y: y - handleSize / 2, transform: turned });
      }
    }
  }

  private drawTag(box: Box, view: Viewport): void {
    const r = view.rectToScreen(hull(box));
    this.tag.textContent = `${box.w.toFixed(1)} × ${box.h.toFixed(1)} px${box.rotation === 0 ? "" : `  ∠ ${angle(box.rotation)}`}`;
    const x = Math.max(view.inset + 100, Math.min(view.stageSize.w - 4, r.x + r.w));
    const y = Math.max(view.inset + 4, Math.min(view.stageSize.h - 24, r.y + r.h + 10));
    this.tag.style.transform = `translate(${x}px, ${y}px) translateX(-100%)`;
  }

  private drawGlow(editor: Editor, view: Viewport): void {
    const box = editor.hover === null || editor.hidden || editor.preview ? null : editor.boxes.get(editor.hover);
    this.glow.classList.toggle("hidden", box === null);
    if (!box) return;
    const r = view.rectToScreen(box);
    const turned = box.rotation === 0 ? "" : `rotate(${box.rotation} ${r.x + r.w / 2} ${r.y + r.h / 2})`;
    set(this.glow, { x: r.x, y: r.y, width: r.w, height: r.h, transform: turned, class: `glow c${editor.classOf(box)?.slot ?? 0}` });
  }

  // Panning moves all names at once; they are placed one by one only after a zoom or a change.
  private drawFlags(editor: Editor, view: Viewport): void {
    const panned = Math.abs(view.x - this.at.x) + Math.abs(view.y - this.at.y);
    if (!this.dirty && this.scale === view.scale && panned < 200) {
      const shift = `translate(${view.x - this.at.x}px, ${view.y - this.at.y}px)`;
      this.flags.style.transform = shift;
      return;
    }
    this.dirty = false;
    this.scale = view.scale;
    this.at = { x: view.x, y: view.y };
    this.flags.style.transform = "";
    const wanted = this.named(editor, view);
    for (const [id, { node }] of this.placed) {
      if (wanted.some((b) => b.id === id)) continue;
      node.remove();
      this.placed.delete(id);
    }
    for (const box of wanted) this.placeFlag(box, editor, view);
  }

  private named(editor: Editor, view: Viewport): Box[] {
    if (editor.hidden) return [];
    const { chosen, hover, preview } = editor;
    const seen = view.visible();
    const inSight: Box[] = [];
    const special: Box[] = [];
    for (const box of editor.boxes.all) {
      if (preview?.id === box.id) continue;
      if (box.id === hover || box === chosen) special.push(box);
      if (inSight.length <= mostFlags && intersects(hull(box), seen)) inSight.push(box);
    }
    return inSight.length > mostFlags ? special : inSight;
  }

  private placeFlag(box: Box, editor: Editor, view: Viewport): void {
    let flag = this.placed.get(box.id);
    if (!flag || flag.box.class !== box.class) {
      flag?.node.remove();
      const info = editor.classOf(box);
      const node = element("div", { class: `flag c${info?.slot ?? 0}` });
      if (info?.key) node.append(element("span", { class: "key" }, info.key));
      node.append(editor.nameOf(box));
      flag = { box, node };
      this.placed.set(box.id, flag);
      this.flags.append(node);
    }
    flag.box = box;
    const r = view.rectToScreen(hull(box));
    const above = r.y - flagHeight - 4;
    const y = above >= view.inset ? above : Math.min(r.y + r.h + 4, view.stageSize.h - flagHeight);
    flag.node.style.transform = `translate(${Math.max(view.inset, r.x - 1)}px, ${y}px)`;
  }

  /** Reviewers' remarks as numbered pins, in the order of the list beside the image. */
  setMarks(marks: readonly Mark[]): void {
    this.pins.replaceChildren(...marks.map((m, i) => element("div", { class: "pin", title: m.note }, String(i + 1))));
    this.marks = marks;
  }

  private drawPins(editor: Editor, view: Viewport): void {
    for (const [i, mark] of this.marks.entries()) {
      const node = this.pins.children[i];
      if (!(node instanceof HTMLElement)) continue;
      const box = editor.boxes.get(mark.box);
      const p = box ? turn({ x: box.x, y: box.y }, centre(box), box.rotation) : mark.x !== undefined && mark.y !== undefined ? { x: mark.x, y: mark.y } : null;
      node.classList.toggle("hidden", p === null || editor.hidden);
      node.classList.toggle("on", box !== null && box === editor.chosen);
      if (!p) continue;
      const s = view.toScreen(p);
      node.style.transform = `translate(${s.x - (box ? 24 : 9)}px, ${s.y - (box ? 0 : 9)}px)`;
    }
  }

  /** How large the stage is, for what is drawn over all of it. */
  resize(view: Viewport): void {
    set(this.sheet, { width: view.stageSize.w, height: view.stageSize.h });
    this.stage.style.setProperty("--stage-w", `${view.stageSize.w}px`);
    this.stage.style.setProperty("--stage-h", `${view.stageSize.h}px`);
    this.dirty = true;
  }
}
