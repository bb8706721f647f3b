// The one place that converts between the screen and the image.
import type { Point, Rect, Size } from "./geometry";

const largest = 64;
const padding = 24;

/**
 * Shows an image of `image` pixels on a stage of `stage` CSS pixels, whose left and
 * top `inset` pixels are covered by the rulers: screen = image × scale + shift.
 */
export class Viewport {
  scale = 1;
  x = 0;
  y = 0;

  constructor(
    private stage: Size,
    private image: Size,
    readonly inset = 20,
  ) {
    this.fit();
  }

  get stageSize(): Size {
    return this.stage;
  }

  toImage(p: Point): Point {
    return { x: (p.x - this.x) / this.scale, y: (p.y - this.y) / this.scale };
  }

  toScreen(p: Point): Point {
    return { x: p.x * this.scale + this.x, y: p.y * this.scale + this.y };
  }

  rectToScreen(r: Rect): Rect {
    return { x: r.x * this.scale + this.x, y: r.y * this.scale + this.y, w: r.w * this.scale, h: r.h * this.scale };
  }

  /** A length on the screen, in image pixels. */
  reach(cssPixels: number): number {
    return cssPixels / this.scale;
  }

  /** The part of the image's plane that the stage shows. */
  visible(): Rect {
    const p = this.toImage({ x: this.inset, y: this.inset });
    return { ...p, w: (this.stage.w - this.inset) / this.scale, h: (this.stage.h - this.inset) / this.scale };
  }

  /** The middle of what is seen, on the screen. */
  middle(): Point {
    return { x: (this.stage.w + this.inset) / 2, y: (this.stage.h + this.inset) / 2 };
  }

  /** The scale at which the whole image is seen. */
  fitScale(): number {
    const w = Math.max(1, this.stage.w - this.inset - 2 * padding);
    const h = Math.max(1, this.stage.h - this.inset - 2 * padding);
    return Math.min(w / this.image.w, h / this.image.h, largest);
  }

  fit(): void {
    this.scale = this.fitScale();
    const m = this.middle();
    this.x = m.x - (this.image.w * this.scale) / 2;
    this.y = m.y - (this.image.h * this.scale) / 2;
  }

  /** One image pixel on one pixel of the screen, keeping the middle where it is. */
  actualSize(devicePixelRatio: number): void {
    this.zoomTo(1 / devicePixelRatio, this.middle());
  }

  /** Scales by `factor`; the image point under `at` (screen) stays under it. */
  zoomAt(at: Point, factor: number): void {
    this.zoomTo(this.scale * factor, at);
  }

  private zoomTo(scale: number, at: Point): void {
    const low = Math.min(this.fitScale() / 4, 1);
    const next = Math.min(largest, Math.max(low, scale));
    const f = next / this.scale;
    this.x = at.x - (at.x - this.x) * f;
    this.y = at.y - (at.y - this.y) * f;
    this.scale = next;
    this.keepInSight();
  }

  panBy(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
    this.keepInSight();
  }

  // The middle of the stage never leaves the image, so that it cannot be lost.
  private keepInSight(): void {
    const m = this.middle();
    this.x = Math.min(m.x, Math.max(m.x - this.image.w * this.scale, this.x));
    this.y = Math.min(m.y, Math.max(m.y - this.image.h * this.scale, this.y));
  }

  /** Pans as little as needed to bring r into sight; zooms out only where it is larger than the stage. */
  reveal(r: Rect): void {
    const room = { w: this.stage.w - this.inset - 2 * padding, h: this.stage.h - this.inset - 2 * padding };
    const over = Math.max((r.w * this.scale) / room.w, (r.h * this.scale) / room.h);
    if (over > 1) this.zoomTo(this.scale / over, this.middle());
    const s = this.rectToScreen(r);
    const low = this.inset + padding;
    const shift = (at: number, size: number, end: number): number =>
      at < low ? low - at : at + size > end - padding ? end - padding - at - size : 0;
    this.panBy(shift(s.x, s.w, this.stage.w), shift(s.y, s.h, this.stage.h));
  }

  /** Takes over a new stage size, keeping the middle of the view; a fitted image stays fitted. */
  resize(stage: Size): void {
    const fitted = Math.abs(this.scale - this.fitScale()) < 1e-9;
    const at = this.toImage(this.middle());
    this.stage = stage;
    if (fitted) {
      this.fit();
      return;
    }
    const m = this.middle();
    this.x = m.x - at.x * this.scale;
    this.y = m.y - at.y * this.scale;
    this.keepInSight();
  }
}
