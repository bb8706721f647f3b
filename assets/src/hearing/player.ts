// The sound with its waveform: it plays, seeks, and stops where it was asked to.
import type { Scope } from "../shared/scope";
import { clock, type State } from "./state";

const speeds = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2];
/** How much is heard before and after a place. */
const lead = 0.3;
const heights = 127;

interface Peaks {
  readonly from: number;
  readonly to: number;
  readonly left: number;
  readonly right: number;
  readonly seconds: number;
  readonly peaks: readonly (readonly number[])[];
}

export class Player {
  private readonly audio: HTMLAudioElement;
  private readonly wave: HTMLElement;
  private readonly canvas: HTMLCanvasElement;
  private peaks: Peaks | null = null;
  private until: number | null = null;
  private left: number;
  private right: number;
  /** Whether somebody put the play head where it is. */
  placed = false;

  constructor(
    private readonly root: HTMLElement,
    private readonly scope: Scope,
    private readonly state: State,
  ) {
    this.audio = part(root, "audio") as HTMLAudioElement;
    this.wave = part(root, "wave");
    this.canvas = part(root, "outline") as HTMLCanvasElement;
    [this.left, this.right] = [state.left, state.right];
    const { audio } = this;
    scope.on(this.wave, "pointerdown", (e) => this.seekBy(e));
    for (const type of ["play", "pause", "ended"]) scope.on(audio, type, () => this.shown());
    scope.on(audio, "loadedmetadata", () => this.tick());
    scope.on(audio, "error", () => this.mute("The sound cannot be played. Load the page again; if that does not help, the recording may be gone."));
    scope.add(() => audio.pause());
    const observer = new ResizeObserver(() => void this.draw());
    observer.observe(this.wave);
    scope.add(() => observer.disconnect());
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const redraw = (): void => this.draw();
    dark.addEventListener("change", redraw, { signal: scope.signal });
    this.seek(0);
    this.placed = false;
    this.shown();
    void this.load();
  }

  /** Seconds of the item. */
  get time(): number {
    return this.audio.currentTime - this.left;
  }

  get length(): number {
    return this.left + this.state.seconds + this.right;
  }

  /** Where a time lies across the wave, in per cent. */
  share(time: number): number {
    return (100 * (time + this.left)) / this.length;
  }

  private async load(): Promise<void> {
    try {
      const answer = await fetch(`${this.state.peaks}?width=1200`, { signal: this.scope.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      this.peaks = (await answer.json()) as Peaks;
      [this.left, this.right] = [this.peaks.left, this.peaks.right];
      this.draw();
      this.tick();
    } catch {
      if (!this.scope.disposed) this.mute("The waveform cannot be drawn: the recording is not ready, or is gone.");
    }
  }

  private mute(text: string): void {
    const note = part(this.root, "mute");
    note.textContent = text;
    note.hidden = false;
  }

  private draw(): void {
    const { canvas, peaks, wave } = this;
    const ratio = Math.min(2, window.devicePixelRatio);
    const [width, height] = [wave.clientWidth, wave.clientHeight];
    if (width === 0 || !peaks) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    if (!pen) return;
    const inside = getComputedStyle(wave).color;
    const outside = getComputedStyle(part(this.root, "span")).color;
    const row = canvas.height / peaks.peaks.length;
    peaks.peaks.forEach((channel, c) => {
      const points = channel.length / 2;
      const middle = row * (c + 0.5);
      const most = Math.max(12, ...channel.map(Math.abs));
      for (let i = 0; i < points; i++) {
        const time = peaks.from + ((peaks.to - peaks.from) * i) / points - peaks.left;
        pen.fillStyle = time < 0 || time > peaks.seconds ? outside : inside;
        const low = ((channel[2 * i] ?? 0) / Math.min(heights, most)) * row * 0.45;
        const high = ((channel[2 * i + 1] ?? 0) / Math.min(heights, most)) * row * 0.45;
        const x = (i / points) * canvas.width;
        pen.fillRect(x, middle - high, Math.max(1, canvas.width / points - 0.5), Math.max(1, high - low));
      }
    });
  }

  // ---- playing

  private seekBy(e: PointerEvent): void {
    const box = this.wave.getBoundingClientRect();
    this.seek(((e.clientX - box.left) / box.width) * this.length - this.left);
  }

  seek(time: number): void {
    this.until = null;
    this.audio.currentTime = Math.min(Math.max(0, time + this.left), this.length);
    this.placed = true;
    this.tick();
  }

  toggle(): void {
    this.until = null;
    if (!this.audio.paused) return this.audio.pause();
    if (this.time >= this.state.seconds + this.right - 0.02) this.seek(0);
    this.start();
  }

  /** Plays a place with a little before and after it. */
  playSpan(begin: number, end: number): void {
    this.audio.currentTime = Math.max(0, begin - lead + this.left);
    this.until = Math.max(begin + 0.2, end) + lead;
    this.start();
  }

  private start(): void {
    void this.audio.play().catch(() => undefined);
    const step = (): void => {
      this.tick();
      if (this.until !== null && this.time >= this.until) {
        this.until = null;
        this.audio.pause();
      }
      if (!this.audio.paused) this.scope.frame(step);
    };
    this.scope.frame(step);
  }

  back(): void {
    this.audio.currentTime = Math.max(0, this.audio.currentTime - 2);
    this.tick();
  }

  speed(by: 1 | -1 | 0): void {
    const at = speeds.indexOf(this.audio.playbackRate);
    this.audio.playbackRate = by === 0 ? 1 : (speeds[Math.min(speeds.length - 1, Math.max(0, at + by))] ?? 1);
    part(this.root, "speed").textContent = `${this.audio.playbackRate} ×`;
  }

  private shown(): void {
    const button = part(this.root, "play");
    const word = button.querySelector(".w");
    if (word) word.textContent = this.audio.paused ? "Play" : "Stop";
    button.setAttribute("aria-pressed", String(!this.audio.paused));
    this.tick();
  }

  private tick(): void {
    part(this.root, "playhead").style.insetInlineStart = `${Math.min(100, this.share(this.time))}%`;
    const span = part(this.root, "span");
    span.style.insetInlineStart = `${this.share(0)}%`;
    span.style.inlineSize = `${this.share(this.state.seconds) - this.share(0)}%`;
    part(this.root, "clock").textContent = `${clock(Math.max(0, this.time))} / ${clock(this.state.seconds)}`;
  }
}

export function part(root: ParentNode, name: string): HTMLElement {
  const found = root.querySelector<HTMLElement>(`[data-part="${name}"]`);
  if (!found) throw new Error(`the page has no ${name}`);
  return found;
}
