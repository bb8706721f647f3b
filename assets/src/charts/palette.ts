/** The colours of a chart, as the canvas takes them. */
export interface Palette {
  readonly ground: string;
  readonly ink: string;
  readonly faint: string;
  readonly line: string;
  readonly rule: string;
  readonly edge: string;
  readonly band: string;
  readonly accent: string;
  readonly accentText: string;
  readonly others: readonly string[];
}

/** paletteOf reads the colours of the theme that host is in: a custom property alone would still hold both. */
export function paletteOf(host: HTMLElement): Palette {
  const probe = document.createElement("i");
  probe.hidden = true;
  host.append(probe);
  const of = (name: string): string => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const palette: Palette = {
    ground: of("--bench"),
    ink: of("--ink"),
    faint: of("--ink-3"),
    line: of("--line"),
    rule: of("--rule"),
    edge: of("--edge"),
    band: of("--q1"),
    accent: of("--accent"),
    accentText: of("--accent-text"),
    others: [of("--info"), of("--warn"), of("--ink-3")],
  };
  probe.remove();
  return palette;
}
