import { completed, type Conflict, type Content, type Heard, type Renewed, type Saved, type SkipReason, type State, type Submitted, type Urls } from "./contract";

/** The server said no, or cannot be reached (status 0); the message is for the person. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly body: unknown = null,
  ) {
    super(message);
  }

  /** The item was erased: nothing of it may stay on the screen. */
  get erased(): boolean {
    return this.status === 410 && (this.body as { readonly erased?: boolean } | null)?.erased === true;
  }

  /** Worth another try later: no connection, too busy, or broken for the moment. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

interface Problem {
  readonly detail?: string;
  readonly message?: string;
}

const unreachable = "The server cannot be reached.";

async function ask(method: string, url: string, body: unknown, more: RequestInit = {}): Promise<Response> {
  const headers = { "Content-Type": "application/json", Accept: "application/json", ...more.headers };
  let response: Response;
  try {
    response = await fetch(url, { ...more, method, headers, body: JSON.stringify(body) });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused(0, unreachable);
  }
  if (response.ok) return response;
  const said: unknown = await response.json().catch(() => null);
  const problem = (said ?? {}) as Problem;
  throw new Refused(response.status, problem.detail ?? problem.message ?? `The server answered ${response.status}.`, said);
}

async function json<T>(response: Promise<Response>): Promise<T> {
  return (await (await response).json()) as T;
}

/** A browser lets requests outlive their page while all of them together have at most 64 KiB. */
const outliving = 30_000;

export class Server {
  constructor(private readonly urls: Urls) {}

  can(what: keyof Urls): boolean {
    return Boolean(this.urls[what]);
  }

  private url(what: keyof Urls): string {
    return this.urls[what] ?? "";
  }

  save(assignment: number, version: number, { boxes, transcript }: Content): Promise<Saved> {
    const body = { assignment, version, boxes, transcript };
    return json(ask("PUT", this.url("draft"), body, { keepalive: JSON.stringify(body).length < outliving }));
  }

  /** The task as it is now. */
  async state(): Promise<State> {
    const response = await fetch(this.url("state"), { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Refused(response.status, "The task could not be read.");
    return completed((await response.json()) as State);
  }

  submit(assignment: number, version: number, { boxes, transcript }: Content, activeMs: number, key: string): Promise<Submitted> {
    const body = { assignment, version, boxes, transcript, activeMs };
    return json(ask("POST", this.url("submit"), body, { headers: { "Idempotency-Key": key } }));
  }

  skip(assignment: number, reason: SkipReason, note: string): Promise<Submitted> {
    return json(ask("POST", this.url("skip"), { assignment, reason, note }));
  }

  heartbeat(assignments: readonly number[]): Promise<Renewed> {
    return json(ask("POST", this.url("heartbeat"), { assignments }));
  }

  /** Is refused once the item was erased; renews nothing. */
  watch(assignment: number): Promise<Renewed> {
    return json(ask("POST", this.url("heartbeat"), { assignments: [assignment], idle: true }));
  }

  /** What was fetched ahead is on the screen: from now on it is seen and heard. */
  async shown(): Promise<void> {
    await ask("POST", this.url("shown"), {}, { keepalive: true });
  }

  /** Claims the next task, `ahead` of its being shown; null where none is left. */
  async next(after: number, ahead = false): Promise<State | null> {
    const response = await ask("POST", this.url("next"), { after, ahead });
    return response.status === 204 ? null : completed((await response.json()) as State);
  }

  async recall(assignment: number, task: number): Promise<State> {
    return completed(await json<State>(ask("POST", this.url("recall"), { assignment, task })));
  }

  dispute(assignment: number, box: string | null, text: string): Promise<{ message?: string }> {
    return json(ask("POST", this.url("dispute"), { assignment, box, text }));
  }

  async remap(keys: Readonly<Record<string, string>>): Promise<void> {
    await ask("PUT", this.url("keys"), { keys });
  }

  /** What models heard, for whoever has written their own. */
  reveal(assignment: number): Promise<{ readonly heard: readonly Heard[]; readonly picked: string }> {
    return json(ask("POST", this.url("reveal"), { assignment }));
  }

  /** Lets the person hear more around the utterance, for a reason. */
  async widen(seconds: number, reason: string): Promise<void> {
    await ask("POST", this.url("context"), { seconds, reason });
  }

  /** The definition of a class as the server wrote it in HTML. */
  async definition(id: number, signal: AbortSignal): Promise<string> {
    const response = await fetch(this.url("definition").replace("{class}", String(id)), { signal });
    if (!response.ok) throw new Refused(response.status, "The definition could not be loaded.");
    return response.text();
  }
}

/** What a refused draft was refused with, where it is another draft. */
export function conflictOf(refused: Refused): Conflict | null {
  const body = refused.body as Partial<Conflict> | null;
  return refused.status === 409 && typeof body?.version === "number" && Array.isArray(body.boxes)
    ? { version: body.version, boxes: body.boxes, ...(body.transcript ? { transcript: body.transcript } : {}) }
    : null;
}
