// What an answer must look like, derived from the SDK's types: a field that
// they do not have, lack, or give another type does not compile here, and one
// that an answer does not have, or has besides, is a misfit at run time.
import type Cloudflare from 'cloudflare';
import type { Traceroute } from 'cloudflare/resources/diagnostics/traceroutes';

/** Tells how a value, found at a path, differs from a V. */
interface Check<V> {
  (value: unknown, at: string): string[];
  reads?: V; // never set: it keeps apart the checks of different types
}

/** One check for every field of T. */
type Fields<T> = { [K in keyof Required<T>]: Check<Required<T>[K]> };

const must = (holds: boolean, at: string, what: string) => (holds ? [] : [`${at} is not ${what}`]);

const text: Check<string> = (v, at) => must(typeof v === 'string', at, 'a string');
const count: Check<number> = (v, at) => must(Number.isSafeInteger(v) && Number(v) >= 0, at, 'a whole number');
const milliseconds: Check<number> = (v, at) => must(Number.isFinite(v) && Number(v) >= 0, at, 'a time');

function oneOf<V extends string>(...values: V[]): Check<V> {
  return (v, at) => must((values as unknown[]).includes(v), at, `one of ${values.join(', ')}`);
}

function list<V>(item: Check<V>): Check<V[]> {
  return (v, at) => (Array.isArray(v) ? v.flatMap((one) => item(one, `${at}[]`)) : [`${at} is not an array`]);
}

function object<T extends object>(fields: Fields<T>, ...optional: (keyof T & string)[]): Check<T> {
  return (v, at) => {
    if (typeof v !== 'object' || v === null || Array.isArray(v)) return [`${at} is not an object`];
    const had = v as Record<string, unknown>;
    const unknown = Object.keys(had).filter((name) => !(name in fields));
    const missing = Object.keys(fields).filter((name) => !(name in had) && !(optional as string[]).includes(name));
    return [
      ...unknown.map((name) => `${at}.${name} is unknown`),
      ...missing.map((name) => `${at}.${name} is missing`),
      ...Object.entries<Check<unknown>>(fields).flatMap(([name, check]) =>
        name in had ? check(had[name], `${at}.${name}`) : [],
      ),
    ];
  };
}

const node = object<Traceroute.Colo.Hop.Node>(
  {
    asn: text,
    ip: text,
    labels: list(text),
    max_rtt_ms: milliseconds,
    mean_rtt_ms: milliseconds,
    min_rtt_ms: milliseconds,
    name: text,
    packet_count: count,
    std_dev_rtt_ms: milliseconds,
  },
  'labels',
);

/** The SDK has no type for the summary. Live answers and the reference differ in their names; it has both. */
interface Summary {
  asn: string;
  ip: string;
  name: string;
  packet_count: number;
  max_rtt_ms: number;
  mean_rtt_ms: number;
  min_rtt_ms: number;
  std_dev_rtt_ms: number;
  max_latency_ms: number;
  mean_latency_ms: number;
  min_latency_ms: number;
  std_dev_latency_ms: number;
}

const summary = object<Summary>({
  asn: text,
  ip: text,
  name: text,
  packet_count: count,
  max_rtt_ms: milliseconds,
  mean_rtt_ms: milliseconds,
  min_rtt_ms: milliseconds,
  std_dev_rtt_ms: milliseconds,
  max_latency_ms: milliseconds,
  mean_latency_ms: milliseconds,
  min_latency_ms: milliseconds,
  std_dev_latency_ms: milliseconds,
});

const hop = object<Traceroute.Colo.Hop>({ nodes: list(node), packets_lost: count, packets_sent: count, packets_ttl: count });

const colo = object<Traceroute.Colo>(
  {
    colo: object<Traceroute.Colo.Colo>({ city: text, name: text }),
    error: oneOf(
      '',
      'Could not gather traceroute data: Code 1',
      'Could not gather traceroute data: Code 2',
      'Could not gather traceroute data: Code 3',
      'Could not gather traceroute data: Code 4',
    ),
    hops: list(hop),
    target_summary: summary,
    traceroute_time_ms: count,
  },
  'error',
);

/** Tells how the result of an answer differs from the SDK's type. */
export const misfitsOfResult: Check<Traceroute[]> = list(object<Traceroute>({ colos: list(colo), target: text }));

type Fault = InstanceType<typeof Cloudflare.APIError>['errors'][number];

/** Tells how the errors of a refusal differ from the SDK's type. */
export const misfitsOfFaults: Check<Fault[]> = list(
  object<Fault>(
    {
      code: count,
      documentation_url: text,
      message: text,
      source: object<NonNullable<Fault['source']>>({ pointer: text }),
    },
    'documentation_url', // no fault has a page of documentation,
    'source', // and not every one is about a field
  ),
);
