/**
 * HTTP to the hub: the token, patience, second tries, and answers that refuse turned into errors that say what to do.
 * Node's fetch follows the redirects to the CDN and drops the token when it leaves the hub's origin.
 */

import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readInputText } from "../base/files/inputFiles";
import { type EnvironmentVariables, packageVersion } from "../base/package";
import { HubError } from "./errors";
import type { RepoKind } from "./request";

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly cache: string;
  readonly token: string | undefined;
  /** The variable that forbids the network, or undefined when none does. */
  readonly offline: string | undefined;
  readonly showProgress: boolean;
}

const defaultEndpoint = "https://huggingface.co";

/**
 * The settings in the environment variables of huggingface_hub, with its names and its precedence: where the cache is,
 * which hub is asked, with which token, or whether none may be. Tokens that refresh themselves (OAuth, OIDC) are left out.
 */
export function hubSettings(env: EnvironmentVariables = process.env): HubSettings {
  const user = env.HOME || homedir();
  const path = (value: string) => value.replace(/^~(?=\/|$)/, user);
  const home = path(env.HF_HOME || join(env.XDG_CACHE_HOME || join(user, ".cache"), "huggingface"));
  const isSet = (name: string) => /^(1|on|yes|true)$/i.test(env[name] ?? "");
  const tokenFile = path(env.HF_TOKEN_PATH || join(home, "token"));
  const token = () => env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || readToken(tokenFile);
  return {
    endpoint: (env.HF_ENDPOINT || defaultEndpoint).replace(/\/+$/, ""),
    cache: path(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home, "hub")),
    token: isSet("HF_HUB_DISABLE_IMPLICIT_TOKEN") ? undefined : token()?.trim() || undefined,
    offline: ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].find(isSet),
    showProgress: !isSet("HF_HUB_DISABLE_PROGRESS_BARS"),
  };
}

function readToken(file: string): string | undefined {
  try {
    return readInputText(file, "a token", { maxBytes: 1 << 16 });
  } catch {
    return undefined; // most users have none, and public repositories need none
  }
}

/** A server that does not answer in this time is out of reach. */
const ANSWER_MS = 10_000;
/** A body that sends nothing for this long has broken off. */
const STALL_MS = 30_000;
/** A body with fewer bytes than this in this time has broken off too. */
const SLOW_BYTES = 16 << 10;
const SLOW_MS = 60_000;
/** How often in a row something may fail. */
const TRIES = 5;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 60_000;

/** Limits of the API's answers about one repository: bytes of one, pages of a listing (of 1000 files each), time for all. */
const ANSWER_BYTES = 32 * 2 ** 20;
const PAGES = 500;
const ANSWERS_MS = 10 * 60_000;

const RETRIED = [408, 429, 500, 502, 503, 504];

/** A failure that may pass: the connection, or a server that says so. */
export class Passing extends Error {
  constructor(
    message: string,
    /** What the server asked to wait. */
    readonly pauseMs?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Counts failures in a row and waits after each. */
export class Retries {
  private failures = 0;

  constructor(
    private readonly signal: AbortSignal,
    private readonly tries = TRIES,
  ) {}

  /** Something came through: the count begins anew. */
  succeeded(): void {
    this.failures = 0;
  }

  /** Waits before the next try, longer each time. Throws what cannot pass, or has failed too often. */
  async failed(error: unknown): Promise<void> {
    this.signal.throwIfAborted();
    if (!(error instanceof Passing)) throw error;
    if (++this.failures >= this.tries) throw new HubError(error.message, "unreachable", { cause: error });
    const pause = error.pauseMs ?? FIRST_PAUSE_MS * 2 ** (this.failures - 1);
    await sleep(Math.min(pause, LONGEST_PAUSE_MS), undefined, { signal: this.signal });
  }
}

/** Requests about one repository. */
export class HubClient {
  readonly page: string;

  constructor(
    readonly settings: HubSettings,
    readonly kind: RepoKind,
    readonly id: string,
    readonly revision: string,
    readonly signal: AbortSignal,
  ) {
    this.page = `${settings.endpoint}/${kind === "model" ? "" : `${kind}s/`}${id}`;
  }

  /**
   * A `fetch` for @huggingface/hub. It is given here, not there, because the package has no second tries and no time
   * limit, takes only tokens that begin with `hf_`, and keeps the hub's error code to itself; nor does it stop when a
   * server's pages or answers never end. The limits apply to all requests of one such function together.
   */
  apiFetch(tries?: number): typeof fetch {
    const end = performance.now() + ANSWERS_MS;
    const seen = new Set<string>();
    return async (input, init) => {
      // A mirror's answer may name the hub itself as the place of the next page.
      const url = String(input).replace(defaultEndpoint, this.settings.endpoint);
      if (seen.has(url)) throw endless(url, "an answer that names itself as the next page");
      if (seen.size === PAGES) throw endless(url, `more than ${PAGES} pages`);
      seen.add(url);
      const retries = new Retries(this.signal, tries);
      for (;;) {
        try {
          const response = await this.get(url, new Headers(init?.headers));
          const body: Uint8Array[] = [];
          let bytes = 0;
          await read(response, (chunk) => {
            bytes += chunk.length;
            if (bytes > ANSWER_BYTES) throw endless(url, `more than ${ANSWER_BYTES} bytes`);
            if (performance.now() > end) throw endless(url, `answers that take longer than ${ANSWERS_MS / 60_000} minutes`);
            body.push(chunk);
          });
          return new Response(Buffer.concat(body), { status: response.status, headers: response.headers });
        } catch (error) {
          await retries.failed(error);
        }
      }
    };
  }

  /** The bytes of a file from `start` on; `first` is where they really begin, 0 when the server knows no ranges. */
  async file(commit: string, path: string, start: number): Promise<{ first: number; response: Response }> {
    const name = path.split("/").map(encodeURIComponent).join("/");
    const headers = new Headers(start > 0 ? { range: `bytes=${start}-` } : {});
    const response = await this.get(`${this.page}/resolve/${commit}/${name}`, headers);
    const range = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "");
    const first = response.status === 206 ? Number(range?.[1]) : 0;
    if (first === start || first === 0) return { first, response };
    await response.body?.cancel();
    throw new Passing(`${this.settings.endpoint} sent another part of ${path} than was asked for`);
  }

  private async get(url: string, headers: Headers): Promise<Response> {
    const { token } = this.settings;
    headers.set("user-agent", `smaug/${packageVersion()}`);
    headers.set("accept-encoding", "identity"); // sizes and ranges are those of the file
    if (token && new URL(url).origin === new URL(this.settings.endpoint).origin) headers.set("authorization", `Bearer ${token}`);
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(new Error(`no answer for ${ANSWER_MS / 1000} s`)), ANSWER_MS);
    let response: Response;
    try {
      response = await fetch(url, { headers, signal: AbortSignal.any([this.signal, patience.signal]) });
    } catch (error) {
      this.signal.throwIfAborted();
      if (/redirect count exceeded/.test(reason(error))) throw endless(url, "more than 20 redirects");
      throw new Passing(`${this.settings.endpoint} cannot be reached: ${reason(error)}`, undefined, { cause: error });
    } finally {
      clearTimeout(timer);
    }
    if (response.ok) return response;
    await response.body?.cancel();
    const after = Number(response.headers.get("retry-after") ?? NaN);
    if (RETRIED.includes(response.status))
      throw new Passing(
        `${this.settings.endpoint} answers with HTTP ${response.status}` + (response.status === 429 ? ", too many requests" : ""),
        Number.isNaN(after) ? undefined : after * 1000,
      );
    throw this.refusal(response);
  }

  private refusal({ status, headers }: Response): HubError {
    const code = headers.get("x-error-code");
    const { token } = this.settings;
    if (code === "RevisionNotFound")
      return new HubError(
        `Expected a branch, a tag or a commit of ${this.page} but received '${this.revision}': there is none`,
        "revision",
      );
    if (code === "GatedRepo" || status === 403)
      return new HubError(
        `The hub does not give out ${this.id} (HTTP ${status}): it is gated or private. ` +
          `Ask for access, or accept its conditions, at ${this.page}, then set HF_TOKEN to a token of that account` +
          (token ? "; the token in use may not read it" : ""),
        "refused",
      );
    if (status === 401 && token && code !== "RepoNotFound")
      return new HubError(
        `The hub does not accept the token in use (HTTP 401). Set HF_TOKEN to a valid one to read ${this.page}`,
        "refused",
      );
    if (status === 401 || status === 404)
      return new HubError(
        `Expected an existing folder, or a ${this.kind} on the hub, but received '${this.id}': ${this.page} ` +
          `is not there (HTTP ${status}), or not for everyone. If it is private or gated, ` +
          (token ? "the token in use may not read it" : "set HF_TOKEN to a token that may read it"),
        "not-found",
      );
    const said = headers.get("x-error-message") ?? "";
    return new HubError(`${this.page} cannot be read: HTTP ${status} ${said}`.trimEnd(), "unreachable");
  }
}

/** The error for a server whose answers do not end. */
function endless(url: string, received: string): HubError {
  const { origin, pathname } = new URL(url);
  return new HubError(
    `Expected the answer of a Hugging Face hub from ${origin}${pathname} but received ${received}`,
    "unreachable",
  );
}

/** Reads a body to its end, piece by piece. One that breaks off, stalls or trickles is a failure that may pass. */
export async function read(response: Response, take: (chunk: Uint8Array) => void | Promise<void>): Promise<void> {
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
  if (!reader) return;
  let [since, bytes] = [performance.now(), 0];
  try {
    for (;;) {
      const chunk = await nextChunk(reader);
      if (!chunk) return;
      await take(chunk);
      bytes += chunk.length;
      if (performance.now() - since < SLOW_MS) continue;
      if (bytes < SLOW_BYTES) throw new Passing(`the connection broke off: only ${bytes} bytes in ${SLOW_MS / 1000} s`);
      [since, bytes] = [performance.now(), 0];
    }
  } finally {
    // Ends the connection when it is left early. Not waited for: a stalled connection would not answer.
    reader.cancel().catch(() => undefined);
  }
}

/** Undefined at the end. */
async function nextChunk(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no bytes for ${STALL_MS / 1000} s`)), STALL_MS);
  });
  try {
    return (await Promise.race([reader.read(), stalled])).value;
  } catch (error) {
    throw new Passing(`the connection broke off: ${reason(error)}`, undefined, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** fetch says "fetch failed" or "terminated" and puts the reason into the cause. */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  const inner = cause as (Error & { code?: string }) | undefined;
  return inner?.message || inner?.code || message;
}
