// The picture of the sound: its outline, the play head, and which part of the time is shown. A small one of all of it appears above
// as long as only a part is shown.
import { element } from "../shared/dom";
import type { Scope } from "../shared/scope";
import { View } from "../transcript/time";
import { columns, loudest, type Outline } from "./outline";

/** What the picture tells of. */
export interface Told {
  seek(time: number): void;
  /** Another part of the time is shown. */
  moved(): void;
}

export class Wave {
  private readonly canvas: HTMLCanvasElement;
  private readonly small = element("canvas", { "aria-hidden": "true" });
  private readonly window = element("div", { class: "win" });
  private readonly smallHead = element("div", { class: "at" });
  private readonly mini: HTMLElement;
  private readonly head: HTMLElement;
  private readonly span: HTMLElement;
  private outline: Outline | null = null;
  private stale = false;
  private time = 0;
  view: View;

  constructor(
    root: HTMLElement,
    private readonly plot: HTMLElement,
    private readonly scope: Scope,
    private readonly seconds: number,
    left: number,
    right: number,
    private readonly told: Told,
  ) {
    const of = (name: string): HTMLElement => root.querySelector<HTMLElement>(`[data-part="${name}"]`) ?? element("div");
    this.canvas = of("outline") as HTMLCanvasElement;
    this.mini = of("mini");
    this.head = of("playhead");
    this.span = of("span");
    this.mini.replaceChildren(this.small, this.window, this.smallHead);
    this.view = this.whole(left, right);
    this.listen();
    const observer = new ResizeObserver(() => this.resize());
    observer.observe(plot);
    scope.add(() => observer.disconnect());
    scope.on(matchMedia("(prefers-color-scheme: dark)") as EventTarget, "change", () => this.refresh());
  }

  private whole(left: number, right: number): View {
    return new View(-left, this.seconds + right, this.plot.clientWidth || 1000, 0);
  }

  /** Where a time lies across the picture, in per cent. */
  share(time: number): number {
    return (100 * this.view.x(time)) / this.view.width;
  }

  show(outline: Outline): void {
    this.outline = outline;
    this.view = this.whole(outline.left, outline.right);
    this.changed();
  }

  /** Puts the play head where it is, and shows where it is if that is out of sight while it moves. */
  at(time: number, playing: boolean): void {
    this.time = time;
    if (playing && this.view.follow(time)) return this.changed();
    this.moveHead();
  }

  zoom(by: 1 | -1): void {
    const x = this.view.x(this.time);
    this.view.zoom(by, x >= 0 && x <= this.view.width ? x : this.view.width / 2);
    this.changed();
  }

  /** Brings a stretch into sight. */
  reveal(begin: number, end: number): void {
    if (begin >= this.view.left && end <= this.view.right) return;
    this.view.scrollTo(begin - 40 / this.view.scale);
    this.changed();
  }

  private get partly(): boolean {
    return this.view.right - this.view.left < this.view.to - this.view.from - 1e-6;
  }

  private resize(): void {
    this.view.width = this.plot.clientWidth || this.view.width;
    this.view.scrollTo(this.view.left);
    this.changed();
  }

  private changed(): void {
    this.mini.hidden = !this.partly;
    this.moveHead();
    this.refresh();
    this.told.moved();
  }

  private moveHead(): void {
    const at = this.share(this.time);
    this.head.hidden = at < 0 || at > 100.01;
    this.head.style.insetInlineStart = `${Math.min(100, at)}%`;
    this.span.style.insetInlineStart = `${this.share(0)}%`;
    this.span.style.inlineSize = `${this.share(this.seconds) - this.share(0)}%`;
    const mini = (time: number): number => (100 * (time - this.view.from)) / (this.view.to - this.view.from);
    this.window.style.insetInlineStart = `${mini(this.view.left)}%`;
    this.window.style.inlineSize = `${mini(this.view.right) - mini(this.view.left)}%`;
    this.smallHead.style.insetInlineStart = `${mini(this.time)}%`;
  }

  // ---- drawing

  /** Draws once before the next paint, however much has changed. */
  private refresh(): void {
    if (this.stale) return;
    this.stale = true;
    this.scope.frame(() => {
      this.stale = false;
      this.paint(this.canvas, this.view.left, this.view.right);
      if (this.partly) this.paint(this.small, this.view.from, this.view.to);
    });
  }

  private paint(canvas: HTMLCanvasElement, left: number, right: number): void {
    const { outline } = this;
    const ratio = Math.min(2, window.devicePixelRatio);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0 || !outline) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    if (!pen) return;
    const inside = getComputedStyle(this.plot).color;
    const outside = getComputedStyle(this.span).color;
    const row = canvas.height / outline.peaks.length;
    outline.peaks.forEach((channel, c) => {
      const middle = row * (c + 0.5);
      const scale = (row * 0.45) / loudest(channel);
      columns(outline, channel, left, right, width).forEach(({ low, high, time }, i) => {
        pen.fillStyle = time < 0 || time > outline.seconds ? outside : inside;
        pen.fillRect(i * ratio, middle - high * scale, Math.max(1, ratio - 0.5), Math.max(1, (high - low) * scale));
      });
    });
  }

  // ---- mouse

  private listen(): void {
    const { scope, plot, mini } = this;
    const at = (e: MouseEvent): number => e.clientX - plot.getBoundingClientRect().left;
    scope.on(plot, "pointerdown", (e) => this.told.seek(this.view.time(at(e))));
    const scroll = (e: PointerEvent): void => {
      const { view } = this;
      this.view.scrollTo(view.from + (at(e) / view.width) * (view.to - view.from) - (view.right - view.left) / 2);
      this.changed();
    };
    scope.on(mini, "pointerdown", (e) => {
      if (e.button !== 0) return;
      mini.setPointerCapture(e.pointerId);
      scroll(e);
    });
    scope.on(mini, "pointermove", (e) => {
      if (mini.hasPointerCapture(e.pointerId)) scroll(e);
    });
    for (const part of [plot, mini]) scope.on(part, "wheel", (e) => this.wheel(e, at(e)));
  }

  // The words below are scrolled as ever where all of the time is shown.
  private wheel(e: WheelEvent, x: number): void {
    const { view } = this;
    if (e.ctrlKey || e.metaKey) view.zoom(e.deltaY < 0 ? 1 : -1, x);
    else if (this.partly) view.scrollTo(view.left + (Math.abs(e.deltaX) > Math.abs(e.deltaY) ? e.deltaX : e.deltaY) / view.scale);
    else return;
    e.preventDefault();
    this.changed();
  }
}
