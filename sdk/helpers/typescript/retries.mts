// Sends a request again after a failure, if that is safe: a `fetch` for openapi-fetch, below all operations.
import { deprecations } from "./deprecation.mts";
import { OPERATIONS } from "./operations.mts";

/**
 * How often, and for how long, a request is sent. All times are in seconds.
 *
 * `total`: no attempt begins or lasts longer than this after the first. `timeout`: how long an attempt lasts. The wait
 * before attempt n + 1 is random, between 0 and `base` * 2^(n - 1), at most `longest`; the `Retry-After` of the
 * response is added. `warn` is called once for each deprecated operation that is used.
 */
export interface Retry {
  attempts: number;
  total: number;
  timeout: number;
  base: number;
  longest: number;
  warn: (message: string) => void;
}

export type Fetch = (request: Request) => Promise<Response>;

const DEFAULT: Retry = { attempts: 6, total: 60, timeout: 30, base: 0.1, longest: 10, warn: (text) => console.warn(text) };
const KEY = "Idempotency-Key";
const PRECONDITIONS = ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"];
const SAFE = ["GET", "HEAD", "OPTIONS", "TRACE"];
const UNAVAILABLE = [502, 503, 504];
/** The codes of Node.js for a request that was not sent. Browsers give none. */
const NOT_SENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];

/** Return a `fetch` that repeats requests: `createClient<paths>({ baseUrl, fetch: retrying() })`. */
export function retrying(options: Partial<Retry> = {}, fetch: Fetch = globalThis.fetch): Fetch {
  const retry = { ...DEFAULT, ...options };
  const note = deprecations(retry.warn);
  return async (request) => {
    if (!request.headers.has(KEY) && takesKey(request)) request.headers.set(KEY, crypto.randomUUID());
    const content = request.body === null ? null : await request.arrayBuffer();
    const end = now() + retry.total;
    for (let count = 1; ; count++) {
      const outcome = await attempt(fetch, request, content, Math.min(retry.timeout, end - now()));
      const least = leastWait(request, outcome);
      const wait = (least ?? 0) + Math.random() * Math.min(retry.longest, retry.base * 2 ** (count - 1));
      if (least === undefined || count >= retry.attempts || now() + wait >= end) {
        if ("error" in outcome) throw outcome.error;
        note(request, outcome.response);
        return outcome.response;
      }
      await sleep(wait, request.signal);
    }
  };
}

type Outcome = { response: Response } | { error: unknown };

/**
 * Send the request once, and receive the whole response.
 *
 * The race ends the attempt after `seconds`, also where `fetch` does not: in Node.js 22, a signal of
 * `AbortSignal.any()` or of a `Request` can be garbage-collected before it aborts.
 */
async function attempt(fetch: Fetch, request: Request, body: ArrayBuffer | null, seconds: number): Promise<Outcome> {
  const stopped = new AbortController();
  const stop = (): void => stopped.abort(request.signal.reason);
  const expire = (): void => stopped.abort(new DOMException("No response in time", "TimeoutError"));
  const timer = setTimeout(expire, Math.max(1, 1000 * seconds));
  request.signal.addEventListener("abort", stop);
  const end = new Promise<never>((_, reject) => {
    stopped.signal.addEventListener("abort", () => reject(stopped.signal.reason));
  });
  if (request.signal.aborted) stop();
  try {
    return { response: await Promise.race([end, receive(fetch, new Request(request, { body, signal: stopped.signal }))]) };
  } catch (error) {
    return { error };
  } finally {
    clearTimeout(timer);
    request.signal.removeEventListener("abort", stop);
  }
}

/** Return the response when its body is complete. */
async function receive(fetch: Fetch, request: Request): Promise<Response> {
  const response = await fetch(request);
  await response.clone().arrayBuffer();
  return response;
}

/** Return the least seconds to wait before the next attempt; undefined if the outcome is final. */
function leastWait(request: Request, outcome: Outcome): number | undefined {
  if ("error" in outcome) {
    const retriable = !request.signal.aborted && (wasNotSent(outcome.error) || isRepeatable(request));
    return retriable ? 0 : undefined;
  }
  const { status, headers } = outcome.response;
  // 429 means that nothing was done. 409 with `Retry-After` means that the first request with this key is running.
  const running = status === 409 && headers.has("Retry-After") && request.headers.has(KEY);
  const failed = UNAVAILABLE.includes(status) && isRepeatable(request);
  return status === 429 || running || failed ? retryAfter(headers) : undefined;
}

/** Whether the contract declares `Idempotency-Key` for the operation. The path may have a prefix. */
function takesKey(request: Request): boolean {
  const { pathname } = new URL(request.url);
  const found = OPERATIONS.find(([method, end]) => method === request.method && new RegExp(end).test(pathname));
  return found?.[2] ?? false;
}

/**
 * Whether the request may be sent again although the first one may have been done (RFC 9110 §9.2.2).
 *
 * Not PUT and DELETE with a precondition: if the first one was done, the second one gets a 412 that is not true.
 */
function isRepeatable({ method, headers }: Request): boolean {
  if (headers.has(KEY) || SAFE.includes(method)) return true;
  return ["PUT", "DELETE"].includes(method) && !PRECONDITIONS.some((name) => headers.has(name));
}

/** Whether the error means that no connection was established. */
function wasNotSent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && NOT_SENT.includes(String(cause.code));
}

/**
 * Return the seconds of `Retry-After`; 0 if there is none, or if it is invalid (RFC 9110 §10.2.3).
 *
 * A date is compared with the server's own clock, `Date`, if the response has it.
 */
function retryAfter(headers: Headers): number {
  const value = (headers.get("Retry-After") ?? "").trim();
  if (/^\d+$/.test(value)) return Number(value);
  const current = time(headers.get("Date") ?? "") ?? Date.now();
  return Math.max(0, (time(value) ?? current) - current) / 1000;
}

/** Return the milliseconds of an HTTP date; undefined if it is invalid. */
function time(value: string): number | undefined {
  return /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(value) ? Date.parse(value) : undefined;
}

/** Return the seconds of a clock that never goes back. */
function now(): number {
  return performance.now() / 1000;
}

/** Wait; reject at once if the request is aborted. */
function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, 1000 * seconds);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
  });
}
