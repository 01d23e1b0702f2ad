// Iterates over all pages of a list operation, which the `Link` header connects (RFC 8288).
import { body, type Result } from "./problems.mts";

/** The query parameter of the next page; empty for the first page. */
export interface Next {
  cursor?: string;
}

const LINK = /<([^>]*)>((?:[^",]|"(?:[^"\\]|\\.)*")*)/g;
const NEXT = /;\s*rel\s*=\s*(?:next\s*(?:;|$)|"(?:[^"]*\s)?next(?:\s[^"]*)?")/i;

/**
 * Yield each page. Throw a `ProblemError` for an error response.
 *
 *     pages((next) => client.GET("/items", { params: { query: { limit: 100, ...next } } }))
 */
export async function* pages<Entry>(list: (next: Next) => Promise<Result<Entry[]>>): AsyncGenerator<Entry[], void> {
  let next: Next | undefined = {};
  while (next !== undefined) {
    const result: Result<Entry[]> = await list(next);
    yield body(result);
    next = nextPage(result.response.headers.get("Link") ?? "");
  }
}

/** Yield each entry of all pages. The argument is that of `pages`. */
export async function* each<Entry>(list: (next: Next) => Promise<Result<Entry[]>>): AsyncGenerator<Entry, void> {
  for await (const page of pages(list)) yield* page;
}

/** Return the `cursor` of the link with `rel="next"`; undefined on the last page. */
function nextPage(link: string): Next | undefined {
  for (const [, url = "", parameters = ""] of link.matchAll(LINK)) {
    if (!NEXT.test(parameters)) continue;
    const cursor = new URL(url, "http://localhost").searchParams.get("cursor");
    if (cursor === null) throw new Error(`The next page has no cursor: ${url}`);
    return { cursor };
  }
  return undefined;
}
