// Helpers for every operation: safe retries, paging and safe updates.
export { each, pages, type Next } from "./paging.mts";
export { ProblemError, body, type Result } from "./problems.mts";
export { retrying, type Fetch, type Retry } from "./retries.mts";
export { updateSafely, type Resource } from "./updates.mts";
