// Makes the request that standard input holds through the SDK, whose base URL
// comes from the environment, and prints what the SDK's user gets. With
// SDK_RETRIES the SDK tries again that often, else as often as it does.
import { text } from 'node:stream/consumers';
import Cloudflare from 'cloudflare';
import { misfitsOfFaults, misfitsOfResult } from './shape.mjs';

type Params = Cloudflare.Diagnostics.TracerouteCreateParams;

async function outcome(params: Params) {
  const retries = process.env['SDK_RETRIES'];
  const client = new Cloudflare(retries === undefined ? {} : { maxRetries: Number(retries) });
  try {
    const page = await client.diagnostics.traceroutes.create(params);
    const result: Cloudflare.Diagnostics.Traceroute[] = [];
    for await (const trace of page) result.push(trace); // would ask for more pages if there were any
    return { result, misfits: misfitsOfResult(result, 'result') };
  } catch (error) {
    if (!(error instanceof Cloudflare.APIError)) throw error;
    const faults = error.errors.map(({ code, message, source }) => ({ code, message, pointer: source?.pointer ?? '' }));
    return {
      misfits: misfitsOfFaults(error.errors, 'errors'),
      refused: {
        class: error.constructor.name,
        status: error.status,
        ray: error.headers?.get('cf-ray') ?? '',
        retry_after: error.headers?.get('retry-after') ?? '',
        faults,
      },
    };
  }
}

console.log(JSON.stringify(await outcome(JSON.parse(await text(process.stdin)) as Params)));
