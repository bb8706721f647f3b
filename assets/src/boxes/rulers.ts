import { element } from "../shared/dom";
import type { Point } from "./geometry";
import { set, svg } from "./svg";
import { tickStep } from "./ticks";
import type { Viewport } from "./viewport";

/**
 * One ruler along the top or the left side. Panning moves it as a whole; its ticks are drawn
 * anew when the scale changed or the drawn part comes to its end.
 */
class Ruler {
  private readonly ticks = svg("path");
  private readonly numbers = svg("g");
  private readonly slide = element("div", { class: "slide" });
  private readonly mark = element("div", { class: "mark-now" });
  readonly node: HTMLElement;
  private scale = 0;
  private from = 0;
  private to = 0;
  private readonly sheet = svg("svg");

  constructor(private readonly along: "x" | "y") {
    this.sheet.append(this.ticks, this.numbers);
    this.slide.append(this.sheet);
    this.node = element("div", { class: `ruler along-${along}`, "aria-hidden": "true" }, this.slide, this.mark);
  }

  place(view: Viewport, image: number): void {
    const shift = this.along === "x" ? view.x : view.y;
    const length = this.along === "x" ? view.stageSize.w : view.stageSize.h;
    const low = Math.max(0, -shift / view.scale);
    const high = Math.min(image, (length - shift) / view.scale);
    // While zooming only what is seen is drawn; panning on from there draws some more ahead.
    if (this.scale !== view.scale) this.draw(view.scale, low, high, image, 0);
    else if (low < this.from || high > this.to) this.draw(view.scale, low, high, image, (high - low) / 2);
    const at = shift + this.from * view.scale;
    this.slide.style.transform = this.along === "x" ? `translateX(${at}px)` : `translateY(${at}px)`;
  }

  private draw(scale: number, low: number, high: number, image: number, room: number): void {
    const step = tickStep(scale);
    this.scale = scale;
    this.from = Math.max(0, Math.floor((low - room) / step) * step);
    this.to = Math.min(image, high + room);
    const x = this.along === "x";
    let path = "";
    const texts: SVGTextElement[] = [];
    const fine = step >= 5 ? step / 5 : step;
    for (let i = 0; this.from + i * fine <= this.to + 1e-9; i++) {
      const at = Math.round(i * fine * scale) + 0.5;
      const whole = i % Math.round(step / fine) === 0;
      path += x ? `M${at} ${whole ? 8 : 15}V20` : `M${whole ? 8 : 15} ${at}H20`;
      if (!whole) continue;
      const text = svg("text", x ? { x: at + 3, y: 12 } : { transform: `translate(12 ${at - 3}) rotate(-90)` });
      text.textContent = String(Math.round(this.from + i * fine));
      texts.push(text);
    }
    this.ticks.setAttribute("d", path);
    this.numbers.replaceChildren(...texts);
    const size = Math.ceil((this.to - this.from) * scale) + 40;
    set(this.sheet, x ? { width: size, height: 20 } : { width: 20, height: size });
  }

  point(at: number | null): void {
    this.mark.classList.toggle("hidden", at === null);
    if (at !== null) this.mark.style.transform = this.along === "x" ? `translateX(${at}px)` : `translateY(${at}px)`;
  }

  forget(): void {
    this.scale = 0;
  }
}

export class Rulers {
  private readonly x = new Ruler("x");
  private readonly y = new Ruler("y");

  constructor(stage: HTMLElement) {
    stage.append(this.x.node, this.y.node, element("div", { class: "ruler corner", "aria-hidden": "true" }));
  }

  place(view: Viewport, image: { readonly w: number; readonly h: number }): void {
    this.x.place(view, image.w);
    this.y.place(view, image.h);
  }

  point(p: Point | null): void {
    this.x.point(p?.x ?? null);
    this.y.point(p?.y ?? null);
  }

  /** Another image: the ticks end elsewhere. */
  forget(): void {
    this.x.forget();
    this.y.forget();
  }
}
