// Warns once of each operation that is deprecated: its responses say so (RFC 9745).
import { OPERATIONS } from "./operations.mts";

/** Return what looks at each response, and calls `warn` at the first one of each deprecated operation. */
export function deprecations(warn: (message: string) => void): (request: Request, response: Response) => void {
  const known = new Set<string>();
  return ({ method, url }, { headers }) => {
    if (!headers.has("Deprecation")) return;
    const { pathname } = new URL(url);
    const found = OPERATIONS.find(([of, end]) => of === method && new RegExp(end).test(pathname));
    const operation = `${method} ${found?.[1] ?? ""}`;
    if (known.has(operation)) return;
    known.add(operation);
    const sunset = headers.get("Sunset");
    warn(`${method} ${pathname} is deprecated${sunset === null ? "" : `, and will be removed after ${sunset}`}`);
  };
}
