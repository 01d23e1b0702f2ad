// Runs the scenarios of test_sdk_helpers.py with the `fetch` of the TypeScript client, and prints what it did.
import { retrying } from "../../../sdk/typescript/helpers/index.mts";

declare const process: { argv: [string, string, string] };

type Outcome = "refused" | "broken" | "half" | "silence" | { status: number; headers?: Record<string, string> };

interface Scenario {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | null;
  outcomes: Outcome[];
}

const LONG = 20_000;

/** The error of Node.js's fetch. */
function failure(code: string): TypeError {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) });
}

/** Return the response of one attempt. */
async function respond(outcome: Outcome | undefined, request: Request): Promise<Response> {
  if (outcome === undefined || outcome === "broken") throw failure("UND_ERR_SOCKET");
  if (outcome === "silence") return new Promise(() => {});
  if (outcome === "refused") throw failure("ECONNREFUSED");
  if (outcome === "half") return new Response(new ReadableStream({ pull: (body) => body.error(failure("UND_ERR_SOCKET")) }));
  const body = outcome.status === 204 ? null : await request.text();
  return new Response(body, { status: outcome.status, headers: outcome.headers ?? {} });
}

/** Return what `retrying` did; the random part of a wait is in the middle of its range. */
async function run({ method, path, headers, body, outcomes }: Scenario): Promise<object> {
  const keys: (string | null)[] = [];
  const waits: number[] = [];
  Math.random = () => 0.5;
  Object.assign(globalThis, {
    setTimeout: (done: () => void, milliseconds: number) => {
      if (milliseconds >= LONG) {
        // The end of an attempt.
        if (outcomes[keys.length] === "silence") queueMicrotask(done);
        return;
      }
      waits.push(Math.round(milliseconds) / 1000);
      queueMicrotask(done);
    },
  });
  const fetch = retrying({ attempts: 4, total: 60, base: 0.1, longest: 0.3 }, (request) => {
    keys.push(request.headers.get("Idempotency-Key"));
    return respond(outcomes[keys.length - 1], request);
  });
  try {
    const response = await fetch(new Request(`http://test${path}`, { method, headers, body }));
    if ((await response.text()) !== (body ?? "")) throw new Error("another body");
    return { final: response.status, waits, keys };
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    return { final: "error", waits, keys };
  }
}

const scenarios: Scenario[] = JSON.parse(process.argv[2]);
const results: object[] = [];
for (const scenario of scenarios) results.push(await run(scenario));
console.log(JSON.stringify(results));
