// The image and all boxes on it, as one layer that the compositor moves: panning changes one
// transform and draws nothing anew; after a zoom the layer is drawn once at its new scale.
import { element } from "../shared/dom";
import type { Scope } from "../shared/scope";
import type { Editor } from "./editor";
import type { ImageInfo, OverlayInfo } from "./contract";
import { centre } from "./geometry";
import { type Levels, matrix } from "./levels";
import { type Box, same, spoken } from "./model";
import { set, svg } from "./svg";
import type { Viewport } from "./viewport";

interface Drawn {
  box: Box;
  readonly around: SVGRectElement;
  readonly line: SVGRectElement;
}

// While a zoom goes on the layer is stretched, up to this factor; it is drawn at the
// right scale when the zoom pauses.
const stretch = 2;
const pause = 90;

function shape(box: Box): Record<string, string | number> {
  const c = centre(box);
  return { x: box.x, y: box.y, width: box.w, height: box.h, ...(box.rotation === 0 ? {} : { transform: `rotate(${box.rotation} ${c.x} ${c.y})` }) };
}

export class World {
  readonly node = element("div", { class: "world" });
  private readonly around = svg("g", { class: "around" });
  private readonly lines = svg("g", { class: "lines" });
  private readonly beneath = svg("g", { class: "beneath" });
  private readonly sheet = svg("svg", { class: "sheet" }, this.beneath, this.around, this.lines);
  private readonly levels = svg("feColorMatrix", { type: "matrix" });
  private readonly filter: SVGSVGElement;
  private readonly drawn = new Map<string, Drawn>();
  private image: HTMLImageElement | null = null;
  private info: ImageInfo | null = null;
  private scale = 0;
  private held: string | null = null;
  private lit: ReadonlySet<string> = new Set();
  private readonly theirs = new Map<string, readonly SVGRectElement[]>();
  private cancelSettle = (): void => {};

  constructor(private readonly scope: Scope) {
    const filter = svg("filter", { id: "levels", "color-interpolation-filters": "sRGB", x: 0, y: 0, width: 1, height: 1 }, this.levels);
    this.filter = svg("svg", { class: "none", "aria-hidden": "true", width: 0, height: 0 }, filter);
    this.node.append(this.filter, this.sheet);
  }

  get picture(): HTMLImageElement | null {
    return this.image;
  }

  /** Shows another image in place of the one there is. */
  load(image: HTMLImageElement, info: ImageInfo): void {
    this.image?.remove();
    this.image = image;
    this.info = info;
    image.className = "picture";
    image.alt = info.alt;
    image.draggable = false;
    this.node.insertBefore(image, this.sheet);
    set(this.sheet, { viewBox: `0 0 ${info.width} ${info.height}` });
    this.scale = 0;
  }

  setLevels(levels: Levels): string {
    const values = matrix(this.info?.window ?? null, levels);
    if (values) this.levels.setAttribute("values", values.map((v) => +v.toFixed(6)).join(" "));
    const filter = values ? "url(#levels)" : "";
    if (this.image && this.image.style.filter !== filter) this.image.style.filter = filter;
    return filter;
  }

  /** Follows the viewport; called once a frame at most. */
  place(view: Viewport): void {
    if (this.scale === 0) this.settle(view);
    const k = view.scale / this.scale;
    if (k > stretch || k < 1 / stretch) this.settle(view);
    const rest = view.scale / this.scale;
    this.node.style.transform = `translate(${view.x}px, ${view.y}px)${rest === 1 ? "" : ` scale(${rest})`}`;
    this.cancelSettle();
    if (rest === 1) return;
    this.cancelSettle = this.scope.after(pause, () => {
      this.settle(view);
      this.place(view);
    });
  }

  private settle(view: Viewport): void {
    if (!this.info) return;
    this.scale = view.scale;
    const style = this.node.style;
    style.width = `${this.info.width * view.scale}px`;
    style.height = `${this.info.height * view.scale}px`;
    const pixels = this.info.window !== null || view.scale * devicePixelRatio >= 2;
    this.image?.classList.toggle("pixels", pixels);
  }

  /** Brings the drawn boxes in line with the editor's: only what differs is touched. */
  sync(editor: Editor): void {
    const now = editor.boxes.all;
    const ids = new Set(now.map((b) => b.id));
    for (const [id, d] of this.drawn) {
      if (ids.has(id)) continue;
      d.around.remove();
      d.line.remove();
      this.drawn.delete(id);
    }
    const before = this.drawn.size;
    now.forEach((box, i) => {
      const had = this.drawn.get(box.id);
      if (!had) this.insert(box, i < before ? i : null, editor);
      else if (!same(had.box, box)) this.update(had, box, editor);
    });
  }

  private insert(box: Box, at: number | null, editor: Editor): void {
    const around = svg("rect");
    const line = svg("rect", { role: "img", tabindex: -1 });
    const d: Drawn = { box, around, line };
    this.drawn.set(box.id, d);
    this.update(d, box, editor);
    this.around.insertBefore(around, at === null ? null : (this.around.children[at] ?? null));
    this.lines.insertBefore(line, at === null ? null : (this.lines.children[at] ?? null));
  }

  private update(d: Drawn, box: Box, editor: Editor): void {
    d.box = box;
    const slot = editor.classOf(box)?.slot ?? 0;
    for (const rect of [d.around, d.line]) {
      if (box.rotation === 0) rect.removeAttribute("transform");
      set(rect, shape(box));
    }
    d.around.classList.toggle("lit", this.lit.has(box.id));
    set(d.line, { class: `c${slot}${this.lit.has(box.id) ? " lit" : ""}`, "data-box": box.id, "aria-label": spoken(box, editor.nameOf(box)) });
  }

  /** Hides the box that is being dragged, since it is drawn above; null shows it again. */
  hold(id: string | null): void {
    if (id === this.held) return;
    for (const [box, display] of [[this.held, ""], [id, "none"]] as const) {
      const d = box === null ? undefined : this.drawn.get(box);
      if (!d) continue;
      d.around.style.display = display;
      d.line.style.display = display;
    }
    this.held = id;
  }

  /** The node of a box, for focus and for aria-activedescendant. */
  line(id: string | null): SVGRectElement | null {
    return id === null ? null : (this.drawn.get(id)?.line ?? null);
  }

  showBoxes(shown: boolean): void {
    this.sheet.classList.toggle("hidden", !shown);
  }

  /** Others' boxes: each person a line style, each class a colour. */
  setOverlays(overlays: readonly OverlayInfo[], editor: Editor): void {
    this.theirs.clear();
    const groups = overlays.map((o) => {
      const parts = o.boxes.flatMap((b) => {
        const slot = editor.classOf(b)?.slot ?? 0;
        const label = `${o.id}: ${spoken(b, editor.nameOf(b))}`;
        const pair = [svg("rect", { ...shape(b), class: "case" }), svg("rect", { ...shape(b), class: `line c${slot}`, "data-box": b.id, role: "img", "aria-label": label })];
        this.theirs.set(b.id, pair);
        return pair;
      });
      return svg("g", { class: `s${o.style}`, "data-overlay": o.id }, ...parts);
    });
    this.beneath.replaceChildren(...groups);
  }

  /** Lights these boxes, own ones and ones of overlays, and dims all others; an empty list dims none. */
  light(ids: readonly string[]): void {
    const lit = new Set(ids);
    for (const id of this.lit) if (!lit.has(id)) for (const rect of this.rectsOf(id)) rect.classList.remove("lit");
    this.lit = lit;
    for (const id of lit) for (const rect of this.rectsOf(id)) rect.classList.add("lit");
    this.sheet.classList.toggle("dimmed", lit.size > 0);
  }

  private rectsOf(id: string): readonly SVGRectElement[] {
    const own = this.drawn.get(id);
    return own ? [own.around, own.line] : (this.theirs.get(id) ?? []);
  }
}
