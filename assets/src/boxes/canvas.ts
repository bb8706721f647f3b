import { announce } from "../shared/notices";
import { Scope } from "../shared/scope";
import type { State } from "./contract";
import { World } from "./draw";
import { Editor, type What } from "./editor";
import type { Point, Rect } from "./geometry";
import { type Levels, neutral, shownWindow } from "./levels";
import { Loupe } from "./loupe";
import { Overlay } from "./overlay";
import { tighten } from "./patch";
import { Pointer } from "./pointer";
import { Rulers } from "./rulers";
import { Viewport } from "./viewport";

const zoomStep = 1.25;
const levelStep = 0.1;

/** The stage with the image on it: joins the editor, the view and what is drawn. */
export class Canvas {
  editor: Editor;
  view: Viewport;
  hand = false;
  levels: Levels = neutral;
  readonly pointer: Pointer;
  private readonly world: World;
  private readonly overlay: Overlay;
  private readonly rulers: Rulers;
  private readonly loupe: Loupe;
  private at: Point | null = null;
  private pending: (() => void) | null = null;
  private fitting = true;

  constructor(
    readonly stage: HTMLElement,
    private readonly scope: Scope,
    private state: State,
    image: HTMLImageElement,
    private readonly told: (what: What | "view" | "levels") => void,
  ) {
    this.world = new World(scope);
    stage.append(this.world.node);
    this.overlay = new Overlay(stage);
    this.rulers = new Rulers(stage);
    this.loupe = new Loupe(stage);
    this.editor = this.edit(state);
    this.view = this.viewOf(state);
    this.pointer = new Pointer(() => this, stage, scope);
    this.show(image);
    const observer = new ResizeObserver(([entry]) => {
      if (entry) this.resized(entry.contentRect.width, entry.contentRect.height);
    });
    observer.observe(stage);
    scope.add(() => observer.disconnect());
  }

  /** Puts another item on the stage. */
  load(state: State, image: HTMLImageElement): void {
    this.state = state;
    this.editor = this.edit(state);
    this.view = this.viewOf(state);
    this.levels = neutral;
    this.rulers.forget();
    this.show(image);
  }

  /** The picture that is shown. */
  get picture(): HTMLImageElement | null {
    return this.world.picture;
  }

  /** Leaves an empty stage. */
  clear(): void {
    this.load({ ...this.state, title: "", boxes: [], overlays: [], marks: [] }, new Image());
  }

  private edit(state: State): Editor {
    return new Editor(state, (what) => this.changed(what), announce);
  }

  private viewOf(state: State): Viewport {
    const stage = { w: Math.max(1, this.stage.clientWidth), h: Math.max(1, this.stage.clientHeight) };
    return new Viewport(stage, { w: state.image.width, h: state.image.height });
  }

  private show(image: HTMLImageElement): void {
    this.fitting = true;
    this.world.load(image, this.state.image);
    this.loupe.setFilter(this.world.setLevels(this.levels));
    this.world.hold(null);
    this.world.sync(this.editor);
    this.world.setOverlays(this.state.overlays, this.editor);
    this.world.showBoxes(true);
    this.overlay.setMarks(this.state.marks);
    this.overlay.resize(this.view);
    this.pointer.refreshCursor();
    this.describe();
    this.paint();
    this.told("view");
  }

  private resized(w: number, h: number): void {
    if (w === 0 || h === 0) return;
    this.view.resize({ w, h });
    if (this.fitting) this.view.fit();
    this.rulers.forget();
    this.overlay.resize(this.view);
    this.paint();
    this.told("view");
  }

  private changed(what: What): void {
    if (what === "boxes") this.world.sync(this.editor);
    if (what === "hidden") this.world.showBoxes(!this.editor.hidden);
    if (what === "tool") this.pointer.refreshCursor();
    if (what === "preview") this.world.hold(this.editor.preview?.id ?? null);
    if (what === "boxes" || what === "choice") this.describe();
    if (what !== "tool" && what !== "class") this.overlay.stale();
    this.request();
    this.told(what);
  }

  // What a screen reader says of the canvas; the chosen box is its active descendant.
  private describe(): void {
    const { editor, stage } = this;
    const n = editor.boxes.all.length;
    const boxes = n === 0 ? "no boxes" : n === 1 ? "one box" : `${n} boxes`;
    stage.setAttribute("aria-label", `Image, ${editor.bounds.w} by ${editor.bounds.h} pixels, ${boxes}. ${this.state.image.alt}`);
    stage.querySelector("#chosen-box")?.removeAttribute("id");
    const line = this.world.line(editor.chosen?.id ?? null);
    if (line) line.id = "chosen-box";
    if (line) stage.setAttribute("aria-activedescendant", "chosen-box");
    else stage.removeAttribute("aria-activedescendant");
  }

  private request(): void {
    this.pending ??= this.scope.frame(() => this.paint());
  }

  private paint(): void {
    this.pending?.();
    this.pending = null;
    const { editor, view, at } = this;
    this.world.place(view);
    this.rulers.place(view, editor.bounds);
    this.overlay.draw(editor, view);
    const aiming = at !== null && !this.hand && editor.editable && (editor.tool === "draw" || editor.preview !== null);
    this.overlay.point(aiming ? at : null);
    this.rulers.point(at);
    if (at && (aiming || this.pointer.busy)) {
      this.loupe.draw(this.world.picture, view.toImage(at), at, view.stageSize, view.scale, editor);
    } else this.loupe.hide();
  }

  viewChanged(): void {
    this.fitting = false;
    this.request();
    this.told("view");
  }

  pointed(at: Point | null): void {
    this.at = at;
    this.paint();
  }

  setHand(on: boolean): void {
    if (this.hand === on) return;
    this.hand = on;
    this.pointer.refreshCursor();
    this.request();
  }

  zoom(direction: 1 | -1): void {
    this.view.zoomAt(this.view.middle(), direction > 0 ? zoomStep : 1 / zoomStep);
    this.viewChanged();
  }

  fit(): void {
    this.view.fit();
    this.viewChanged();
    this.fitting = true;
  }

  actualSize(): void {
    this.view.actualSize(devicePixelRatio);
    this.viewChanged();
  }

  pan(dx: number, dy: number): void {
    this.view.panBy(dx, dy);
    this.viewChanged();
  }

  reveal(r: Rect): void {
    this.view.reveal(r);
    this.viewChanged();
  }

  /** Lights boxes by id, own ones and ones of overlays, and dims the others; an empty list ends it. */
  light(ids: readonly string[]): void {
    this.world.light(ids);
  }

  setOverlays(): void {
    this.world.setOverlays(this.editor.overlays, this.editor);
  }

  toggleLoupe(): void {
    this.loupe.on = !this.loupe.on;
    announce(this.loupe.on ? "Magnifying glass on" : "Magnifying glass off");
    this.request();
  }

  setLevels(levels: Levels): void {
    const within = (v: number): number => Math.max(-1, Math.min(1, Math.round(v * 100) / 100));
    this.levels = { brightness: within(levels.brightness), contrast: within(levels.contrast) };
    this.loupe.setFilter(this.world.setLevels(this.levels));
    this.told("levels");
  }

  shiftLevels(brightness: number, contrast: number): void {
    const { levels } = this;
    this.setLevels({ brightness: levels.brightness + brightness * levelStep, contrast: levels.contrast + contrast * levelStep });
    announce(this.levelsText());
  }

  /** "Window 1200 – 53000" for 16-bit images, "Brightness +0.1, contrast 0.0" else. */
  levelsText(): string {
    const { window } = this.state.image;
    const signed = (v: number): string => (v > 0 ? "+" : v < 0 ? "−" : "") + Math.abs(v).toFixed(1);
    if (!window) return `Brightness ${signed(this.levels.brightness)}, contrast ${signed(this.levels.contrast)}`;
    const shown = shownWindow(window, this.levels);
    return `Window ${Math.round(shown.low)} – ${Math.round(shown.high)}`;
  }

  insert(): void {
    const { editor, view } = this;
    const middle = view.toImage(view.middle());
    const side = Math.min(view.reach(80), editor.bounds.w / 4, editor.bounds.h / 4);
    const r = { w: Math.round(side), h: Math.round(side), x: Math.round(middle.x - side / 2), y: Math.round(middle.y - side / 2) };
    if (editor.editable) editor.add(r);
  }

  tighten(): void {
    const { editor } = this;
    const box = editor.editable ? editor.chosen : null;
    const image = this.world.picture;
    if (!box) return announce("Choose a box first");
    if (!image?.complete || image.naturalWidth === 0) return announce("The image has not loaded yet");
    const closed = tighten(image, box, editor.bounds, this.state.image.window !== null);
    if (closed) editor.put(closed, "Tightened");
    else announce("Nothing stands out in this box; it stays as it is");
  }
}
