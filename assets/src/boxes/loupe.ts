// The magnifying glass: the pixels round the pointer, six times as large, in a corner.
import { element } from "../shared/dom";
import type { Editor } from "./editor";
import type { Point } from "./geometry";
import type { Box } from "./model";

const size = 160;
const times = 6;
const near = size + 48;

export class Loupe {
  private readonly canvas = element("canvas", { width: String(size), height: String(size) });
  private readonly where = element("span");
  private readonly node = element(
    "div",
    { class: "loupe hidden", "aria-hidden": "true" },
    this.canvas,
    element("div", { class: "plate" }, this.where, element("span", {}, `× ${times}`)),
  );
  private readonly context = this.canvas.getContext("2d");
  private slot = -1;
  private colour = "white";
  on = true;

  constructor(stage: HTMLElement) {
    stage.append(this.node);
  }

  setFilter(filter: string): void {
    this.canvas.style.filter = filter;
  }

  /** Shows the surroundings of the image point `at`; `pointer` is where the pointer is on the stage. */
  draw(image: HTMLImageElement | null, at: Point, pointer: Point, stage: { readonly w: number; readonly h: number }, scale: number, editor: Editor): void {
    const outside = at.x < 0 || at.y < 0 || at.x > editor.bounds.w || at.y > editor.bounds.h;
    // A view that magnifies as much itself needs no glass.
    if (!this.on || !image?.complete || image.naturalWidth === 0 || outside || scale >= times) return this.hide();
    this.node.classList.remove("hidden");
    this.node.classList.toggle("left", pointer.x > stage.w - near && pointer.y > stage.h - near);
    this.where.textContent = `${at.x.toFixed(1)}, ${at.y.toFixed(1)}`;
    this.paint(image, at, editor);
  }

  hide(): void {
    this.node.classList.add("hidden");
  }

  private paint(image: HTMLImageElement, at: Point, editor: Editor): void {
    const c = this.context;
    if (!c) return;
    c.imageSmoothingEnabled = false;
    c.clearRect(0, 0, size, size);
    // A rendition may be smaller than the upright image; boxes are in the pixels of the latter.
    const ratio = image.naturalWidth / editor.bounds.w;
    const part = size / times;
    const left = at.x - part / 2;
    const top = at.y - part / 2;
    c.drawImage(image, left * ratio, top * ratio, part * ratio, part * ratio, 0, 0, size, size);
    const box = editor.preview ?? editor.chosen;
    if (!box || editor.hidden) return;
    this.wear(editor.classOf(box)?.slot ?? 0);
    this.outline(c, box, left, top);
  }

  // The class's colour stands in the project's style sheet; it is read when the class changes.
  private wear(slot: number): void {
    if (slot === this.slot) return;
    this.slot = slot;
    this.canvas.className = `c${slot}`;
    this.colour = getComputedStyle(this.canvas).getPropertyValue("--class").trim() || "white";
  }

  private outline(c: CanvasRenderingContext2D, box: Box, left: number, top: number): void {
    c.save();
    c.translate((box.x + box.w / 2 - left) * times, (box.y + box.h / 2 - top) * times);
    c.rotate((box.rotation * Math.PI) / 180);
    const w = box.w * times;
    const h = box.h * times;
    for (const [colour, width] of [["rgb(0 0 0 / 0.6)", 4], [this.colour, 1.5]] as const) {
      c.strokeStyle = colour;
      c.lineWidth = width;
      c.strokeRect(-w / 2, -h / 2, w, h);
    }
    c.restore();
  }
}
