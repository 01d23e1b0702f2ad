// The generated TypeScript client at work: does, and prints, what test_sdk.py expects of every client.
import createClient from "openapi-fetch";
import type { Item, ItemPatch, NewItem, Problem, operations, paths } from "../../../sdk/typescript/items.ts";

declare const process: { argv: [string, string, string] };

/** `true` if both are the same type, and neither is `any`. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

interface Answer<Body> {
  data?: Body;
  error?: Problem;
  response: Response;
}

const client = createClient<paths>({ baseUrl: process.argv[2] });

/** The status, the ETag and the item. */
function stored({ data, error, response }: Answer<Item>): string {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return `${response.status} ${response.headers.get("ETag")} ${data.name}, ${data.description ?? "no description"}`;
}

/** The problem with its violations. */
function refused({ error, response }: Answer<unknown>): string {
  if (error === undefined || error.status !== response.status) throw new Error(`${response.status}`);
  const violations = error.errors ?? [];
  return [
    `${error.status} ${error.title}: ${error.detail}`,
    ...violations.map(({ pointer, parameter, header, detail }) => `  ${pointer ?? parameter ?? header} ${detail}`),
  ].join("\n");
}

/** Every page, newest item first: `Link` says where the next one begins. */
async function* pages(): AsyncGenerator<Item[]> {
  const query: NonNullable<operations["list_items"]["parameters"]["query"]> = { limit: 100, sort: "-id" };
  while (true) {
    const { data, error, response } = await client.GET("/items", { params: { query } });
    if (data === undefined) throw new Error(error.detail);
    yield data;
    const next = /<([^>]*)>; rel="next"/.exec(response.headers.get("Link") ?? "")?.[1];
    const cursor = next === undefined ? null : new URL(next, process.argv[2]).searchParams.get("cursor");
    if (cursor === null) return;
    query.cursor = cursor;
  }
}

const lamp: NewItem = { name: "Desk lamp", description: "Brass" };
const created = await client.POST("/items", { body: lamp });
true satisfies Same<typeof created.data, Item | undefined>;
console.log("create_item:", created.response.headers.get("Location"), stored(created));
const params = { path: { item_id: 1 } };
const version1 = { "If-Match": '"1"' };
console.log("get_item:", stored(await client.GET("/items/{item_id}", { params })));
const unchanged = { ...params, header: { "If-None-Match": '"1"' } };
console.log("get_item:", (await client.GET("/items/{item_id}", { params: unchanged })).response.status);
const chair = { params: { ...params, header: version1 }, body: { name: "Chair" } satisfies NewItem };
console.log("replace_item:", stored(await client.PUT("/items/{item_id}", chair)));
console.log("replace_item:", refused(await client.PUT("/items/{item_id}", chair)));
const oak: ItemPatch = { description: "Oak" };
console.log("update_item:", stored(await client.PATCH("/items/{item_id}", { params, body: oak })));
const nothing: ItemPatch = { description: null };
console.log("update_item:", stored(await client.PATCH("/items/{item_id}", { params, body: nothing })));
console.log("delete_item:", (await client.DELETE("/items/{item_id}", { params })).response.status);
console.log("delete_item:", refused(await client.DELETE("/items/{item_id}", { params })));
const gone = await client.GET("/items/{item_id}", { params });
true satisfies Same<typeof gone.error, Problem | undefined>;
console.log("get_item:", refused(gone));
console.log("create_item:", refused(await client.POST("/items", { body: { name: "", description: "\0" } })));
console.log("list_items:", refused(await client.GET("/items", { params: { query: { limit: 0 } } })));
const large = await client.POST("/items", { body: { name: "Desk lamp", description: "x".repeat(65536) } });
true satisfies Same<typeof large.error, Problem | undefined>;
console.log("create_item:", refused(large));
for (let number = 1; number <= 1000; number++) await client.POST("/items", { body: { name: `Item ${number}` } });
const found = await Array.fromAsync(pages());
const items = found.flat();
console.log(`list_items: ${found.length} pages, ${items.length} items, ${items[0]?.name} to ${items.at(-1)?.name}`);
