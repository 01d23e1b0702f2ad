// Sends requests, some of them to deprecated operations, with the `fetch` of the TypeScript client, and prints its
// warnings as JSON.
import { retrying } from "../../../sdk/typescript/helpers/index.mts";

declare const process: { argv: [string, string, string, string] };

const requests: [string, string, Record<string, string>][] = JSON.parse(process.argv[2]);
const left = requests.map(([, , headers]) => headers);
const warnings: string[] = [];
const warn = (message: string): void => void warnings.push(message);
if (process.argv[3] === "console") console.warn = warn;
const fetch = retrying(process.argv[3] === "console" ? {} : { warn }, async () => new Response("", { headers: left.shift() ?? {} }));
for (const [method, path] of requests) await fetch(new Request(`http://test${path}`, { method }));
console.log(JSON.stringify(warnings));
