import type { Arrived, Receiver } from "./uploader";

/** The server said no, or cannot be reached; the message is for the person. */
export class Refused extends Error {
  constructor(
    message: string,
    /** Worth another try later: no connection, too busy, or broken for the moment. */
    readonly passing: boolean,
    /** The field of the form that it is about, or "". */
    readonly field: string,
  ) {
    super(message);
  }
}

interface Problem {
  readonly detail?: string;
  readonly errors?: readonly { location?: string }[];
}

async function ask<T>(method: string, url: string, signal: AbortSignal, body?: BodyInit, type = "application/json"): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { method, signal, body: body ?? null, headers: { "Content-Type": type, Accept: "application/json" } });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refused("The server cannot be reached.", true, "");
  }
  if (response.ok) return (await response.json()) as T;
  const problem = ((await response.json().catch(() => null)) ?? {}) as Problem;
  const passing = response.status === 429 || response.status >= 500;
  const field = problem.errors?.[0]?.location?.replace(/^body\./, "") ?? "";
  throw new Refused(problem.detail ?? `The server answered ${response.status}.`, passing, field);
}

/** What begins an import; the names are the API's. */
export interface NewImport {
  format: string;
  purpose: string;
  model: string;
  source: string;
  group_by: string;
  group_pattern: string;
  voc_base: number;
  per: string;
  add_classes: boolean;
  allow_erased: boolean;
  dry_run: boolean;
}

const base = "/api/v1/imports/";

/** Begins an import at the address of a project's imports, and returns its id. */
export async function begin(url: string, wanted: NewImport, signal: AbortSignal): Promise<number> {
  return (await ask<{ id: number }>("POST", url, signal, JSON.stringify(wanted))).id;
}

export async function start(id: number, signal: AbortSignal): Promise<void> {
  await ask("POST", `${base}${id}/start`, signal);
}

export async function cancel(id: number, signal: AbortSignal): Promise<void> {
  await ask("POST", `${base}${id}/cancel`, signal);
}

/** The server as the receiver of the files of one import. */
export function receiver(id: number, signal: AbortSignal): Receiver {
  return {
    async announce(files) {
      const answer = await ask<{ files: Arrived[]; part_size: number }>("POST", `${base}${id}/files`, signal, JSON.stringify({ files }));
      return { files: answer.files, partSize: answer.part_size };
    },
    put: (file, offset, part) => ask<Arrived>("PUT", `${base}${id}/files/${file}?offset=${offset}`, signal, part, "application/octet-stream"),
  };
}
