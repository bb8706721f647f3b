// The picture of the sound: a small one of all of it, and beneath, on one scale of time, its axis, the waveform, the words that
// were heard and the moments.
import type WaveSurfer from "wavesurfer.js";
import type { ClassInfo, HeardWord } from "../boxes/contract";
import type { Box } from "../boxes/model";
import { element } from "../shared/dom";
import type { Scope } from "../shared/scope";
import type { Player } from "./player";
import type { Span } from "./script";
import { drawn, type Outline } from "./sound";
import { clock, markStep, View } from "./time";
import { doubtOf } from "./timing";

/** What the picture tells of. */
export interface Told {
  select(span: Span | null): void;
  hear(word: HeardWord): void;
  stretch(id: string, span: Span): void;
  choose(moment: Box): void;
}

export interface Shown {
  readonly words: readonly HeardWord[];
  readonly moments: readonly Box[];
  readonly classes: readonly ClassInfo[];
  readonly selection: Span | null;
  /** Where segments begin and end, but for the ends of the utterance. */
  readonly cuts: readonly number[];
}

const plotHeight = 168;

export class Wave {
  private readonly mini = element("canvas", { "aria-hidden": "true" });
  private readonly window = element("div", { class: "win" });
  private readonly miniHead = element("div", { class: "at" });
  private readonly axis = element("div", { class: "axis", "aria-hidden": "true" });
  private readonly plot = element("div", { class: "plot", role: "img", "aria-label": "Waveform" });
  private readonly host = element("div", { class: "host" });
  private readonly selected = element("div", { class: "sel", hidden: "" });
  private readonly cuts = element("div", { class: "cuts", "aria-hidden": "true" });
  // Of two channels the first is drawn above the middle, the second below it.
  private readonly halves = [1, 2].map((channel) => element("div", { class: "half", "aria-hidden": "true", hidden: "" }, element("span", {}, `Channel ${channel}`)));
  private readonly before = element("div", { class: "outside" });
  private readonly after = element("div", { class: "outside" });
  private readonly words = element("div", { class: "lane words", "aria-hidden": "true" });
  private readonly moments = element("div", { class: "lane marks" });
  private readonly head = element("div", { class: "head", "aria-hidden": "true" });
  readonly view: View;
  private surfer: WaveSurfer | null = null;
  private outline: Outline | null = null;
  private shown: Shown = { words: [], moments: [], classes: [], selection: null, cuts: [] };
  private stale = false;
  private current: HeardWord | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly player: Player,
    private readonly seconds: number,
    lead: number,
    trail: number,
    private readonly nonce: string,
    private readonly scope: Scope,
    private readonly told: Told,
  ) {
    this.view = new View(-lead, seconds + trail, root.clientWidth || 1000);
    const mini = element("div", { class: "mini" }, this.mini, this.window, this.miniHead);
    // What it draws is scrolled from here alone, and must not be a stop for the keyboard.
    this.host.inert = true;
    this.plot.append(this.host, ...this.halves, this.cuts, this.before, this.after, this.selected);
    root.replaceChildren(mini, this.axis, this.plot, this.words, this.moments, this.head);
    this.view.scrollTo(lead > 0 && this.view.to - this.view.from > this.view.width / this.view.scale ? -0.3 : -lead);
    scope.add(() => this.surfer?.destroy());
    this.listen(mini);
    const observer = new ResizeObserver(() => this.resize());
    observer.observe(root);
    scope.add(() => observer.disconnect());
    this.refresh();
  }

  // ---- waveform

  /** Draws the outline. The drawer is loaded here, so that neither sound nor text waits for it. */
  async draw(outline: Outline): Promise<void> {
    this.outline = outline;
    this.drawMini();
    for (const half of this.halves) half.hidden = outline.peaks.length !== 2;
    const { default: Drawer } = await import("wavesurfer.js");
    if (this.scope.disposed) return;
    this.surfer = Drawer.create({
      container: this.host, media: this.player.audio, peaks: drawn(outline), duration: outline.left + outline.seconds + outline.right,
      height: plotHeight, barWidth: 2, barGap: 1, barMinHeight: 1, normalize: true, cursorWidth: 0, interact: false, hideScrollbar: true, autoScroll: false, autoCenter: false,
      minPxPerSec: this.view.scale, cspNonce: this.nonce, ...this.colours(),
    });
    this.surfer.on("ready", () => this.refresh());
    const repaint = (): void => {
      this.surfer?.setOptions(this.colours());
      this.drawMini();
    };
    this.scope.on(matchMedia("(prefers-color-scheme: dark)") as EventTarget, "change", repaint);
    const themes = new MutationObserver(repaint);
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    this.scope.add(() => themes.disconnect());
  }

  /** Shows which channel is heard alone; 0 for all of them. */
  only(channel: number): void {
    this.halves.forEach((half, i) => half.classList.toggle("unheard", channel !== 0 && channel !== i + 1));
  }

  // A canvas takes colours as they are computed, not as they are named.
  private colours(): { waveColor: string; progressColor: string } {
    return { waveColor: this.colour("--ink-3"), progressColor: this.colour("--ink") };
  }

  private colour(name: string): string {
    const probe = element("i");
    probe.style.color = `var(${name})`;
    this.root.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }

  private drawMini(): void {
    const { outline, mini } = this;
    const width = Math.round(this.root.clientWidth * devicePixelRatio);
    const height = Math.round(40 * devicePixelRatio);
    mini.width = width;
    mini.height = height;
    const context = mini.getContext("2d");
    if (!context || !outline) return;
    const peaks = drawn(outline);
    const loudest = Math.max(0.05, ...peaks.map((list) => list.reduce((most, v) => Math.max(most, v), 0)));
    const [up, down = up] = peaks;
    context.fillStyle = this.colour("--ink-3");
    const step = 2 * devicePixelRatio;
    for (let x = 0; x < width; x += step) {
      const [from, to] = [x, x + step].map((v) => Math.floor((v / width) * (up?.length ?? 0)));
      const loud = (list: Float32Array | undefined): number => list?.subarray(from, Math.max((to ?? 0), (from ?? 0) + 1)).reduce((most, v) => Math.max(most, v), 0) ?? 0;
      const scale = (height * 0.42) / loudest;
      const top = Math.max(devicePixelRatio / 2, loud(up) * scale);
      const bottom = Math.max(devicePixelRatio / 2, loud(down) * scale);
      context.fillRect(x, height / 2 - top, devicePixelRatio, top + bottom);
    }
  }

  // ---- everything on the scale of time

  show(shown: Shown): void {
    this.shown = shown;
    this.refresh();
  }

  /** Draws once before the next paint, however much has changed. */
  refresh(): void {
    if (this.stale) return;
    this.stale = true;
    this.scope.frame(() => {
      this.stale = false;
      this.place();
    });
  }

  private resize(): void {
    this.view.width = this.root.clientWidth || this.view.width;
    this.view.scrollTo(this.view.left);
    this.drawMini();
    this.refresh();
  }

  private place(): void {
    const { view } = this;
    if (this.surfer?.getDuration()) {
      if (Math.abs((this.surfer.options.minPxPerSec ?? 0) - view.scale) > 0.01) this.surfer.zoom(view.scale);
      this.surfer.setScroll((view.left - view.from) * view.scale);
    }
    lie(this.window, this.miniX(view.left), this.miniX(Math.min(view.right, view.to)));
    lie(this.before, 0, Math.max(0, view.x(0)));
    lie(this.after, Math.min(view.width, view.x(this.seconds)), view.width);
    const { selection } = this.shown;
    this.selected.hidden = selection === null;
    if (selection) lie(this.selected, view.x(selection.begin), view.x(selection.end));
    this.placeAxis();
    this.placeCuts();
    this.placeWords();
    this.placeMoments();
    this.moveHead();
    this.plot.setAttribute("aria-label", `Waveform, ${clock(Math.max(0, view.left), 1)} to ${clock(Math.min(view.right, this.seconds), 1)} of ${clock(this.seconds, 1)}`);
  }

  private miniX(time: number): number {
    return ((time - this.view.from) / (this.view.to - this.view.from)) * this.view.width;
  }

  private placeAxis(): void {
    const { view } = this;
    const step = markStep(view.scale);
    const minor = step / 5;
    const marks: HTMLElement[] = [];
    for (let i = Math.ceil(view.left / minor); i * minor <= view.right; i++) {
      const time = i * minor;
      const major = i % 5 === 0;
      const mark = element("span", { class: major ? "major" : "minor" }, major ? clock(time, step < 1 ? 1 : 0) : "");
      mark.style.transform = `translateX(${view.x(time)}px)`;
      marks.push(mark);
    }
    this.axis.replaceChildren(...marks);
  }

  private placeCuts(): void {
    const { view } = this;
    const seen = this.shown.cuts.filter((time) => time >= view.left && time <= view.right);
    this.cuts.replaceChildren(
      ...seen.map((time) => {
        const cut = element("i");
        cut.style.transform = `translateX(${view.x(time)}px)`;
        return cut;
      }),
    );
  }

  private placeWords(): void {
    const { view } = this;
    this.words.hidden = this.shown.words.length === 0;
    const seen = this.shown.words.filter((w) => w.end >= view.left && w.start <= view.right);
    let free = -Infinity;
    this.words.replaceChildren(
      ...seen.flatMap((word) => {
        const middle = view.x((word.start + word.end) / 2);
        const width = word.word.length * 6 + 4;
        const doubt = doubtOf(word.confidence);
        const parts: HTMLElement[] = [];
        if (doubt > 0) {
          const bar = element("span", { class: `doubt k${doubt}` });
          lie(bar, view.x(word.start), view.x(word.end));
          parts.push(bar);
        }
        const left = Math.max(middle - width / 2, free);
        if (left > middle) return parts;
        free = left + width;
        const at = String(this.shown.words.indexOf(word));
        const button = element("button", { type: "button", class: word === this.current ? "cur" : "", tabindex: "-1", "data-word": at }, word.word);
        button.style.transform = `translateX(${left}px)`;
        return [...parts, button];
      }),
    );
  }

  private placeMoments(): void {
    const { view } = this;
    this.moments.hidden = this.shown.moments.length === 0;
    const seen = this.shown.moments.filter((m) => m.x + m.w >= view.left && m.x <= view.right);
    const rows: number[] = [];
    const made = [...seen].sort((a, b) => a.x - b.x).map((moment) => {
      const found = rows.findIndex((end) => end <= moment.x);
      const row = found < 0 ? rows.length : found;
      rows[row] = moment.x + moment.w;
      return this.bar(moment, row);
    });
    this.moments.style.blockSize = `${10 + 22 * Math.max(1, rows.length)}px`;
    this.moments.replaceChildren(...made);
  }

  private bar(moment: Box, row: number): HTMLElement {
    const { view } = this;
    const info = this.shown.classes.find((c) => c.id === moment.class);
    const channel = moment.y > 0 ? `, channel ${moment.y}` : "";
    const bar = element("div", { class: `mo c${info?.slot ?? 0}`, "data-moment": moment.id }, element("i", { class: "grip l" }), element("span", {}, `${info?.name ?? "Retired class"}${channel}`), element("i", { class: "grip r" }));
    lie(bar, Math.max(-2, view.x(moment.x)), Math.min(view.width + 2, view.x(moment.x + moment.w)));
    bar.style.top = `${5 + 22 * row}px`;
    return bar;
  }

  // ---- play head

  moveHead(): void {
    const { view, player } = this;
    const x = view.x(player.time);
    this.head.hidden = x < 0 || x > view.width;
    this.head.style.transform = `translateX(${x}px)`;
    this.miniHead.style.transform = `translateX(${this.miniX(player.time)}px)`;
    const now = this.shown.words.find((w) => w.start <= player.time && player.time < w.end) ?? null;
    if (now === this.current) return;
    this.current = now;
    this.placeWords();
  }

  /** Turns the page when the play head leaves it. */
  follow(): void {
    if (this.player.playing && this.view.follow(this.player.time)) this.refresh();
    else this.moveHead();
  }

  zoom(by: 1 | -1): void {
    const x = this.view.x(this.player.time);
    this.view.zoom(by, x >= 0 && x <= this.view.width ? x : this.view.width / 2);
    this.refresh();
  }

  /** Brings a stretch into sight. */
  reveal(span: Span): void {
    if (span.begin >= this.view.left && span.end <= this.view.right) return;
    this.view.scrollTo(span.begin - 40 / this.view.scale);
    this.refresh();
  }

  // ---- mouse

  private listen(mini: HTMLElement): void {
    const { scope, view } = this;
    const at = (e: PointerEvent | WheelEvent): number => e.clientX - this.root.getBoundingClientRect().left;
    drag(mini, scope, (e) => {
      const time = view.from + (at(e) / view.width) * (view.to - view.from);
      view.scrollTo(time - (view.right - view.left) / 2);
      this.refresh();
    });
    this.listenPlot(at);
    this.listenMoments(at);
    scope.on(this.words, "click", (e) => {
      const button = e.target instanceof Element ? e.target.closest<HTMLElement>("[data-word]") : null;
      const word = this.shown.words[Number(button?.dataset["word"] ?? -1)];
      if (word) this.told.hear(word);
    });
    scope.on(this.root, "wheel", (e) => {
      e.preventDefault();
      if (e.ctrlKey || e.metaKey) view.zoom(e.deltaY < 0 ? 1 : -1, at(e));
      else view.scrollTo(view.left + (Math.abs(e.deltaX) > Math.abs(e.deltaY) ? e.deltaX : e.deltaY) / view.scale);
      this.refresh();
    });
  }

  private listenPlot(at: (e: PointerEvent) => number): void {
    const { view } = this;
    let from = 0;
    const begin = (e: PointerEvent): void => void (from = at(e));
    const move = (e: PointerEvent): void => {
      if (Math.abs(at(e) - from) < 4) return;
      const [a, b] = [view.time(from), view.time(at(e))].sort((x, y) => x - y);
      const span = { begin: Math.max(0, a ?? 0), end: Math.min(this.seconds, b ?? 0) };
      this.told.select(span.end > span.begin ? span : null);
    };
    const end = (e: PointerEvent): void => {
      if (Math.abs(at(e) - from) >= 4) return;
      this.told.select(null);
      this.player.seek(Math.min(Math.max(view.time(at(e)), view.from), view.to));
    };
    for (const part of [this.plot, this.axis]) drag(part, this.scope, move, begin, end);
  }

  private listenMoments(at: (e: PointerEvent) => number): void {
    let held: { moment: Box; side: "l" | "r" | ""; from: number } | null = null;
    const begin = (e: PointerEvent): void => {
      const target = e.target instanceof Element ? e.target : null;
      const id = target?.closest<HTMLElement>("[data-moment]")?.dataset["moment"];
      const moment = this.shown.moments.find((m) => m.id === id);
      const side = target?.classList.contains("l") ? "l" : target?.classList.contains("r") ? "r" : "";
      held = moment ? { moment, side, from: at(e) } : null;
      if (moment) this.told.choose(moment);
    };
    const move = (e: PointerEvent): void => {
      if (!held || held.side === "" || Math.abs(at(e) - held.from) < 3) return;
      const { moment, side } = held;
      const time = this.view.time(at(e));
      this.told.stretch(moment.id, { begin: side === "l" ? Math.min(time, moment.x + moment.w) : moment.x, end: side === "r" ? Math.max(time, moment.x) : moment.x + moment.w });
    };
    drag(this.moments, this.scope, move, begin);
  }
}

/** Lays an element from left to right, in pixels. */
function lie(node: HTMLElement, left: number, right: number): void {
  node.style.transform = `translateX(${left}px)`;
  node.style.inlineSize = `${Math.max(0, right - left)}px`;
}

/** Hears a press, each move while it is held, and its end. Without `begin`, the press is a move. */
function drag(node: HTMLElement, scope: Scope, move: (e: PointerEvent) => void, begin: (e: PointerEvent) => void = move, end: (e: PointerEvent) => void = () => {}): void {
  scope.on(node, "pointerdown", (e) => {
    if (e.button !== 0) return;
    // The cursor stays in the text: the mouse points into the sound while the keyboard writes.
    e.preventDefault();
    node.setPointerCapture(e.pointerId);
    begin(e);
  });
  scope.on(node, "pointermove", (e) => {
    if (node.hasPointerCapture(e.pointerId)) move(e);
  });
  scope.on(node, "pointerup", (e) => {
    if (node.hasPointerCapture(e.pointerId)) end(e);
  });
}
