// Updates a resource without losing the changes of others.
import { body, type Result } from "./problems.mts";

/** The two operations of a resource that `updateSafely` needs. */
export interface Resource<Id, Entity, Change> {
  get: (id: Id) => Promise<Result<Entity>>;
  update: (id: Id, change: Change, header: { "If-Match": string }) => Promise<Result<Entity>>;
}

const PRECONDITION_FAILED = 412;
const LONGEST_WAIT = 1;

/**
 * Get the resource, and send what `change` returns for it; do both again if it has changed in between (412).
 *
 * If `change` returns undefined, nothing is sent. Return the stored resource. Throw a `ProblemError` for any other
 * error response, and for the 412 of the last attempt (RFC 9110 §13.1.1).
 */
export async function updateSafely<Id, Entity, Change>(
  id: Id,
  change: (entity: Entity) => Change | undefined,
  { get, update }: Resource<Id, Entity, Change>,
  attempts = 10,
): Promise<Entity> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const current = await get(id);
    const entity = body(current);
    const changed = change(entity);
    if (changed === undefined) return entity;
    const result = await update(id, changed, { "If-Match": current.response.headers.get("ETag") ?? "" });
    if (result.response.status !== PRECONDITION_FAILED || attempt === attempts) return body(result);
    // A random wait, so that clients that change the same resource do not stay in step.
    const seconds = Math.random() * Math.min(LONGEST_WAIT, 0.01 * 2 ** attempt);
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  }
  throw new RangeError("attempts must be at least 1");
}
