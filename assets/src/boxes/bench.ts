// Joins the canvas, the lists beside it, the keys and the task.
import { emit } from "../shared/events";
import { announce } from "../shared/notices";
import { Scope } from "../shared/scope";
import { Canvas } from "./canvas";
import type { Content, Mark, OverlayInfo, State } from "./contract";
import { Definition } from "./definition";
import { imageReasons } from "./dialogs";
import type { Editor, What } from "./editor";
import { hull } from "./geometry";
import { chordOf, Keys } from "./keys";
import type { Box } from "./model";
import { Next, picture, type Ready } from "./next";
import { BoxList, ClassList, MarkList, type Parts } from "./panels";
import { Refused, Server } from "./server";
import { openSheet } from "./sheet";
import { Status } from "./status";
import { type Bench as TaskBench, Task } from "./task";

declare module "../shared/events" {
  interface Events {
    /** The boxes of the workbench are different now. */
    "boxes:change": { boxes: readonly Box[] };
    /** A box was chosen, or none. */
    "boxes:choose": { box: Box | null };
    /** The pointer is over a box, an own one or one of an overlay, or over none. */
    "boxes:hover": { id: string | null };
    /** Another task took the place of the one before. */
    "boxes:task": { item: number; task: number; reason: State["reason"] };
    /** A box of an overlay was clicked. */
    "boxes:point": { id: string };
  }
}

const nudges: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const panStep = 60;
const far = 10;
const turnFar = 15;

type Act = (e: KeyboardEvent | null) => void;

export class Bench implements TaskBench<HTMLImageElement> {
  readonly next: Next;
  readonly skipReasons = imageReasons;
  readonly load = picture;
  readonly status: Status;
  server: Server;
  readonly canvas: Canvas;
  private readonly keys: Keys;
  private readonly acts = new Map<string, Act>();
  private readonly classes: ClassList;
  private readonly boxes: BoxList;
  private readonly marks: MarkList;
  private readonly definition: Definition;
  private task: Task<HTMLImageElement> | null = null;
  private taskScope: Scope;
  private ownKeys: Record<string, string>;
  private stale = false;

  constructor(
    readonly root: HTMLElement,
    private readonly parts: Parts,
    private state: State,
    stage: HTMLElement,
    image: HTMLImageElement,
    private readonly scope: Scope,
  ) {
    this.server = new Server(state.urls);
    this.next = new Next((after) => this.server.next(after), picture);
    this.status = new Status(parts);
    this.ownKeys = { ...state.keys };
    this.keys = new Keys(state.mode, this.ownKeys);
    this.taskScope = scope.child();
    const back = (): void => stage.focus({ preventScroll: true });
    this.classes = new ClassList(parts, scope, () => this.editor(), back);
    this.boxes = new BoxList(parts, scope, () => this.editor(), (box, byMouse) => this.goTo(box, byMouse));
    this.marks = new MarkList(parts, scope, (mark) => this.goToMark(mark), this.server.can("dispute") ? (m, text) => this.task?.dispute(m, text) ?? Promise.resolve("") : null);
    this.definition = new Definition(parts("definition"), this.server, state.classes[0]?.id ?? 0);
    // The canvas tells of its first changes while it is made; they are taken up by begin.
    this.canvas = new Canvas(stage, scope, state, image, (what) => this.told(what));
    this.bindActs();
    this.listen(stage);
    this.begin();
    if (document.activeElement === document.body) back();
  }

  editor(): Editor {
    return this.canvas.editor;
  }

  content(): Content {
    return { boxes: this.editor().boxes.all };
  }

  take(content: Content, label: string): void {
    this.editor().replaceAll(content.boxes, label);
  }

  summary({ boxes }: Content): string {
    return boxes.length === 1 ? "1 box" : `${boxes.length} boxes`;
  }

  // ---- tasks

  private begin(): void {
    const { state } = this;
    this.next.arrived();
    this.status.load(state);
    this.classes.load();
    this.boxes.refresh();
    this.marks.load(state.marks, state.mode === "label");
    void this.definition.show(this.editor().classId);
    this.buttons();
    this.told("view");
    this.told("levels");
    this.watch();
    if (state.mode === "label") this.task = new Task(this.taskScope, state, this);
  }

  /** Tells of a picture that does not come, and fetches it again: a blank must not be taken for a strip without a defect. */
  private watch(): void {
    const image = this.canvas.picture;
    if (!image) return;
    let told = false;
    const missing = (): void => {
      told = true;
      this.status.notice("bad", "The picture could not be loaded.", { label: "Try again", run: () => (image.src = image.currentSrc || image.src) });
    };
    this.taskScope.on(image, "error", missing);
    this.taskScope.on(image, "load", () => {
      if (told) this.status.notice("", "");
      told = false;
    });
    if (image.complete && image.naturalWidth === 0) missing();
  }

  show({ state, media: image }: Ready): void {
    const address = `/label/${state.task}`;
    if (state.urls.classes !== this.state.urls.classes) return location.assign(address);
    this.root.classList.remove("erased");
    this.taskScope.dispose();
    this.taskScope = this.scope.child();
    this.server = new Server(state.urls);
    this.definition.reset(this.server);
    this.state = state;
    history.pushState({ task: state.task }, "", address);
    this.canvas.load(state, image);
    this.begin();
    this.canvas.stage.focus({ preventScroll: true });
    emit(this.root, "boxes:task", { item: state.item, task: state.task, reason: state.reason });
    announce(`${state.title}. ${this.canvas.stage.getAttribute("aria-label") ?? ""}`);
  }

  clear(): void {
    this.canvas.clear();
    this.status.clear();
    this.root.classList.add("erased");
    this.boxes.refresh();
    this.marks.load([], false);
  }

  // ---- what became different

  private told(what: What | "view" | "levels"): void {
    if (!this.canvas) return;
    const editor = this.editor();
    if (what === "view") this.zoomText();
    if (what === "levels") this.levelsShown();
    if (what === "tool" || what === "hidden") this.buttons();
    if (what === "class") void this.definition.show(editor.classId);
    if (what === "hover") emit(this.root, "boxes:hover", { id: editor.hover });
    if (what === "pointed" && editor.pointed !== null) emit(this.root, "boxes:point", { id: editor.pointed });
    if (what === "choice") emit(this.root, "boxes:choose", { box: editor.chosen });
    if (what === "boxes") {
      this.task?.changed({ boxes: editor.boxes.all });
      emit(this.root, "boxes:change", { boxes: editor.boxes.all });
    }
    if (what === "boxes" || what === "choice" || what === "class") this.refreshLists();
  }

  // The lists follow in the next frame, once, however much has changed.
  private refreshLists(): void {
    if (this.stale) return;
    this.stale = true;
    this.scope.frame(() => {
      this.stale = false;
      this.classes.refresh();
      this.boxes.refresh();
      this.buttons();
    });
  }

  private zoomText(): void {
    const zoom = this.parts("zoom");
    const text = `${Math.round(this.canvas.view.scale * devicePixelRatio * 100)} %`;
    if (zoom && zoom.textContent !== text) zoom.textContent = text;
  }

  private levelsShown(): void {
    for (const name of ["brightness", "contrast"] as const) {
      const input = this.parts(name);
      if (!(input instanceof HTMLInputElement)) continue;
      input.value = String(this.canvas.levels[name] * 100);
      input.title = this.canvas.levelsText();
    }
  }

  private buttons(): void {
    const editor = this.editor();
    const put = (act: string, name: string, value: boolean): void => {
      for (const b of this.root.querySelectorAll(`[data-act="${act}"]`)) b.setAttribute(name, String(value));
    };
    put("draw", "aria-pressed", editor.tool === "draw");
    put("select", "aria-pressed", editor.tool === "select");
    put("hide", "aria-pressed", editor.hidden);
    put("undo", "aria-disabled", !editor.history.canUndo);
    put("redo", "aria-disabled", !editor.history.canRedo);
    put("tighten", "aria-disabled", editor.chosen === null);
  }

  private goTo(box: Box, byMouse: boolean): void {
    this.editor().choose(box.id);
    this.canvas.reveal(hull(box));
    if (byMouse) this.canvas.stage.focus({ preventScroll: true });
  }

  private goToMark(mark: Mark): void {
    const box = this.editor().boxes.get(mark.box);
    if (box) this.goTo(box, false);
    else if (mark.x !== undefined && mark.y !== undefined) this.canvas.reveal({ x: mark.x - 20, y: mark.y - 20, w: 40, h: 40 });
  }

  // ---- keys and buttons

  private bindActs(): void {
    const { canvas, acts } = this;
    const on = (id: string, act: Act): void => void acts.set(id, act);
    on("draw", () => this.editor().setTool("draw"));
    on("select", () => this.editor().setTool("select"));
    on("insert", () => canvas.insert());
    on("duplicate", () => this.editor().duplicate(canvas.view.reach(12)));
    on("tighten", () => canvas.tighten());
    on("delete", () => this.editor().remove());
    on("undo", () => this.editor().undo());
    on("redo", () => this.editor().redo());
    on("class", (e) => this.classByKey(e));
    on("find-class", () => this.classes.find());
    on("next-box", () => this.step(1));
    on("previous-box", () => this.step(-1));
    on("nudge", (e) => this.arrow(e, 1, false));
    on("nudge-far", (e) => this.arrow(e, far, false));
    on("grow", (e) => this.arrow(e, 1, true));
    on("grow-far", (e) => this.arrow(e, far, true));
    on("turn", () => this.editor().turn(1));
    on("turn-back", () => this.editor().turn(-1));
    on("turn-far", () => this.editor().turn(turnFar));
    on("turn-back-far", () => this.editor().turn(-turnFar));
    on("leave", () => this.leave());
    this.bindSight(on);
    on("submit", () => void this.task?.submit());
    on("skip", () => void this.task?.skip());
    on("recall", () => void this.task?.recall());
    on("keys", () => this.openSheet());
  }

  private bindSight(on: (id: string, act: Act) => void): void {
    const { canvas } = this;
    on("zoom-in", () => canvas.zoom(1));
    on("zoom-out", () => canvas.zoom(-1));
    on("fit", () => canvas.fit());
    on("actual", () => canvas.actualSize());
    on("pan", (e) => this.panBy(e));
    on("hand", () => canvas.setHand(true));
    on("hide", () => this.editor().toggleHidden());
    on("loupe", () => canvas.toggleLoupe());
    on("darker", () => canvas.shiftLevels(-1, 0));
    on("brighter", () => canvas.shiftLevels(1, 0));
    on("softer", () => canvas.shiftLevels(0, -1));
    on("harder", () => canvas.shiftLevels(0, 1));
    on("neutral", () => canvas.setLevels({ brightness: 0, contrast: 0 }));
  }

  /** Lets the page around the canvas do an action of the table of keys; `usual` is what is done without it. */
  bind(id: string, run: (usual: () => void, chord: string) => void): void {
    const usual = this.acts.get(id);
    this.keys.add(id);
    this.acts.set(id, (e) => run(() => usual?.(e), e ? chordOf(e) : ""));
  }

  private classByKey(e: KeyboardEvent | null): void {
    const digit = e ? chordOf(e) : "";
    const info = this.editor().classes.find((c) => c.key === digit);
    if (info) this.editor().setClass(info.id);
    else announce(`No class has the key ${digit}`);
  }

  private step(by: 1 | -1): void {
    this.editor().step(by);
    const box = this.editor().chosen;
    if (box) this.canvas.reveal(hull(box));
  }

  private arrow(e: KeyboardEvent | null, by: number, size: boolean): void {
    const [dx, dy] = nudges[e?.key ?? ""] ?? [0, 0];
    if (size) this.editor().grow(dx * by, dy * by);
    else if (!this.editor().nudge(dx * by, dy * by)) this.panBy(e);
  }

  private panBy(e: KeyboardEvent | null): void {
    const [dx, dy] = nudges[e?.key ?? ""] ?? [0, 0];
    this.canvas.pan(-dx * panStep, -dy * panStep);
  }

  private leave(): void {
    if (!this.canvas.pointer.abandon()) this.editor().choose(null);
  }

  private listen(stage: HTMLElement): void {
    const { scope, root } = this;
    scope.on(root, "keydown", (e) => this.key(e, stage));
    scope.on(window, "keyup", (e) => {
      if (e.code === "Space") this.canvas.setHand(false);
    });
    scope.on(window, "blur", () => this.canvas.setHand(false));
    scope.on(window, "popstate", () => location.reload());
    scope.on(root, "click", (e) => this.click(e));
    scope.on(root, "input", (e) => this.slide(e));
    const sheet = (e: Event): void => {
      if (!(e.target instanceof Element) || !e.target.closest("[data-keys-sheet]")) return;
      e.stopPropagation();
      this.openSheet();
    };
    scope.on(document as EventTarget, "click", sheet, { capture: true });
    // Ctrl Enter and the like are heard wherever the focus is; the rest needs the workbench.
    scope.on(document, "keydown", (e) => {
      if (!root.contains(e.target as Node)) this.key(e, stage);
    });
  }

  private key(e: KeyboardEvent, stage: HTMLElement): void {
    if (e.defaultPrevented || e.isComposing || document.querySelector("dialog[open]")) return;
    const target = e.target instanceof HTMLElement || e.target instanceof SVGElement ? e.target : root();
    const typing = target.matches("input:not([type=range],[type=radio],[type=checkbox]), textarea, select, [contenteditable]");
    const key = this.keys.find(chordOf(e));
    if (!key) return;
    const beside = key.group === "Review" || key.id === "delete" || key.id === "leave";
    if (key.scope === "canvas" && !stage.contains(target) && !(beside && target.closest("[data-review-keys]"))) return;
    if (typing && key.id !== "submit") return;
    e.preventDefault();
    this.acts.get(key.id)?.(e);
  }

  private click(e: MouseEvent): void {
    const button = e.target instanceof Element ? e.target.closest<HTMLElement>("[data-act]") : null;
    if (!button || button.getAttribute("aria-disabled") === "true") return;
    this.acts.get(button.dataset["act"] ?? "")?.(null);
    // After a click the keys are to work again; with the keyboard the focus stays.
    if (e.detail > 0 && !document.querySelector("dialog[open]")) this.canvas.stage.focus({ preventScroll: true });
  }

  private slide(e: Event): void {
    const input = e.target;
    if (!(input instanceof HTMLInputElement)) return;
    const name = input.dataset["part"];
    if (name !== "brightness" && name !== "contrast") return;
    this.canvas.setLevels({ ...this.canvas.levels, [name]: Number(input.value) / 100 });
  }

  private openSheet(): void {
    const save = async (own: Record<string, string>): Promise<string> => {
      this.ownKeys = { ...own };
      try {
        await this.server.remap(own);
        return "Kept, for you, on every machine.";
      } catch (error) {
        return `In force until you leave this page; not kept: ${error instanceof Refused ? error.message : String(error)}`;
      }
    };
    openSheet(this.keys, this.ownKeys, this.server.can("keys") ? save : null);
  }

  // ---- for the page around it

  setOverlays(overlays: readonly OverlayInfo[]): void {
    this.editor().overlays = overlays;
    this.canvas.setOverlays();
  }
}

function root(): HTMLElement {
  return document.documentElement;
}
