// Creates, updates, replaces and deletes items with the TypeScript client and its helpers.
// Prints what was acknowledged. Arguments: the URL, a name, how many operations, the ids of counters.
import createClient from "openapi-fetch";
import { type Resource, each, retrying, updateSafely } from "../../../sdk/typescript/helpers/index.mts";
import type { Item, ItemPatch, paths } from "../../../sdk/typescript/items.ts";

declare const process: { argv: [string, string, string, string, string, string] };

const [, , url, name, count, counters] = process.argv;
const KINDS = ["create", "increment", "create", "increment", "replace", "create", "increment", "create", "delete", "increment"];
const WORKERS = 4;
const ids = counters.split(",").map(Number);
const retry = { attempts: 40, total: 300, timeout: 3, base: 0.005, longest: 0.05 };
const client = createClient<paths>({ baseUrl: url, fetch: retrying(retry) });
const done = {
  created: [] as string[],
  replaced: [] as string[],
  deleted: [] as string[],
  incremented: [] as number[],
  listed: [] as string[],
};

const items: Resource<number, Item, ItemPatch> = {
  get: (item_id) => client.GET("/items/{item_id}", { params: { path: { item_id } } }),
  update: (item_id, body, header) => client.PATCH("/items/{item_id}", { params: { path: { item_id }, header }, body }),
};

/** Return the change that adds 1. */
function increment(item: Item): ItemPatch {
  return { description: String(Number(item.description ?? "0") + 1) };
}

/** Do the operations one after the other. */
async function work(worker: number): Promise<void> {
  const created: Item[] = [];
  for (let number = 0; number < Math.floor(Number(count) / WORKERS); number++) {
    const kind = KINDS[number % KINDS.length];
    const last = created.at(-1);
    if (kind === "increment") {
      const counter = ids[number % ids.length] ?? 0;
      await updateSafely(counter, increment, items, 1000);
      done.incremented.push(counter);
    } else if (kind === "create" || last === undefined) {
      const { data, error } = await client.POST("/items", { body: { name: `${name}${worker} ${number}` } });
      if (data === undefined) throw new Error(error.detail);
      created.push(data);
      done.created.push(data.name);
    } else if (kind === "replace") {
      const body = { name: last.name, description: "replaced" };
      const { error } = await client.PUT("/items/{item_id}", { params: { path: { item_id: last.id } }, body });
      if (error !== undefined) throw new Error(error.detail);
      done.replaced.push(last.name);
    } else {
      const { response } = await client.DELETE("/items/{item_id}", { params: { path: { item_id: last.id } } });
      // 404: the first of two attempts has deleted it.
      if (![204, 404].includes(response.status)) throw new Error(String(response.status));
      created.pop();
      done.deleted.push(last.name);
    }
  }
}

await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
const query = { limit: 100 };
const listed = each((next) => client.GET("/items", { params: { query: { ...query, ...next } } }));
done.listed = (await Array.fromAsync(listed)).map((item) => item.name);
console.log(JSON.stringify(done));
