// Charts: islands that draw what their own tables hold.
import "uplot/dist/uPlot.min.css";
import "./charts.css";
import type uPlot from "uplot";
import { element } from "../shared/dom";
import { island } from "../shared/islands";
import type { Scope } from "../shared/scope";
import { readTicks } from "../shared/ticks";
import { type Point, readPoints } from "./data";
import { chart } from "./draw";
import { picture, type Words } from "./picture";

class Figure {
  private drawn: uPlot | null = null;
  private readonly plot: HTMLElement;
  private readonly table: HTMLElement;
  private readonly tip = element("p", { class: "chart-tip", hidden: "" });
  private pointed: Point | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly scope: Scope,
  ) {
    this.plot = this.part("plot");
    this.table = this.part("table");
    if (readPoints(this.table).length < 2) return; // a table of one figure says more than a chart of it
    this.plot.hidden = false;
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", `${this.root.dataset["title"] ?? ""}: a chart of the table ${this.table.id}`);
    this.table.hidden = true;
    this.root.classList.add("drawn");
    this.tools();
    this.watch();
    this.draw();
  }

  private part(name: string): HTMLElement {
    const found = this.root.querySelector<HTMLElement>(`[data-part="${name}"]`);
    if (found === null) throw new Error(`the chart has no ${name}`);
    return found;
  }

  private draw(): void {
    this.drawn?.destroy();
    const { dataset } = this.root;
    this.drawn = chart(
      this.plot,
      {
        kind: dataset["chart"] === "share" ? "share" : "time",
        points: readPoints(this.table),
        ticks: readTicks(this.root),
        measure: dataset["measure"] ?? "",
      },
      (at, left, top) => this.tell(at, left, top),
    );
    this.plot.append(this.tip);
    this.root.dataset["ready"] = "";
  }

  private tell(at: Point | null, left: number, top: number): void {
    this.pointed = at;
    this.tip.hidden = at === null;
    this.plot.classList.toggle("leads", at !== null && at.href !== "");
    if (at === null) return;
    this.tip.textContent = at.words;
    const right = left > this.plot.clientWidth / 2;
    this.tip.style.insetBlockStart = `${Math.max(0, top - 8)}px`;
    this.tip.style.insetInlineStart = right ? "auto" : `${left + 12}px`;
    this.tip.style.insetInlineEnd = right ? `${this.plot.clientWidth - left + 12}px` : "auto";
  }

  private tools(): void {
    const { id } = this.root;
    const toggle = document.querySelector<HTMLButtonElement>(`[data-chart-table="${id}"]`);
    if (toggle !== null) {
      toggle.hidden = false;
      this.scope.on(toggle, "click", () => {
        this.table.hidden = !this.table.hidden;
        toggle.setAttribute("aria-expanded", String(!this.table.hidden));
      });
    }
    const save = document.querySelector<HTMLButtonElement>(`[data-chart-png="${id}"]`);
    if (save !== null) {
      save.hidden = false;
      this.scope.on(save, "click", () => {
        if (this.drawn !== null) void picture(this.drawn, this.words());
      });
    }
    this.scope.on(this.plot, "click", () => {
      if (this.pointed !== null && this.pointed.href !== "") location.href = this.pointed.href;
    });
  }

  private words(): Words {
    const { title, measure } = this.root.dataset;
    const series = [...this.root.querySelectorAll('[data-part="keys"] li')].map((key) => key.textContent.trim());
    return { title: title ?? "Chart", measure: measure ?? "", series };
  }

  // A chart is drawn again when its width or the theme changes, and for paper in the colours of day.
  private watch(): void {
    let width = 0;
    const resize = new ResizeObserver(() => {
      if (this.plot.clientWidth === width) return;
      width = this.plot.clientWidth;
      this.scope.frame(() => this.draw());
    });
    width = this.plot.clientWidth;
    resize.observe(this.root);
    const theme = new MutationObserver(() => this.draw());
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.draw(), { signal: this.scope.signal });
    this.scope.add(() => {
      resize.disconnect();
      theme.disconnect();
      this.drawn?.destroy();
    });
    this.scope.on(window, "beforeprint", () => this.onPaper(true));
    this.scope.on(window, "afterprint", () => this.onPaper(false));
  }

  private onPaper(printing: boolean): void {
    this.plot.classList.toggle("paper", printing);
    this.draw();
  }
}

island("[data-chart]", (root, scope) => void new Figure(root, scope));
