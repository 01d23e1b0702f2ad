// Turns an error response into an exception.
import type { Problem } from "../items.ts";

/** What every operation of openapi-fetch returns. */
export interface Result<Body> {
  data?: Body;
  error?: Problem;
  response: Response;
}

/** An error response; `problem` is its body. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    const places = (problem.errors ?? []).map(
      ({ pointer, parameter, header, detail }) => `${pointer ?? parameter ?? header}: ${detail}`,
    );
    super([`${problem.status} ${problem.title}: ${problem.detail}`, ...places].join("; "));
    this.name = "ProblemError";
    this.problem = problem;
  }
}

/** Return the body of a successful response. Throw a `ProblemError` for any other. */
export function body<Body>({ data, error, response }: Result<Body>): Body {
  if (error !== undefined) throw new ProblemError(error);
  if (data === undefined) throw new Error(`The response has no body: ${response.status}`);
  return data;
}
