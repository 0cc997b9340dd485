/** The table of routes as an OpenAPI document: `docs/store-openapi.json`, which a test keeps equal to this. */
import type { StoreRoute } from './route.ts';

const FAILURE = { $ref: '#/components/responses/Failure' };
const LATER = { $ref: '#/components/responses/Later' };

export function openApiOf(routes: readonly StoreRoute[]): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    const operations = paths[path] ?? {};
    operations[route.method.toLowerCase()] = operationOf(route);
    paths[path] = operations;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Edgeward store',
      version: '1',
      description:
        'What points and people ask of a central store, over mutual TLS. The client certificate says who asks; what is not for that identity does not exist for it.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      securitySchemes: { certificate: { type: 'mutualTLS' } },
      responses: {
        Failure: {
          description: 'A coded error with its mend.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Failure' } } },
        },
        Later: {
          ...described('Asked too often, or too much of it waits already.'),
          headers: { 'Retry-After': { description: 'In how many seconds to ask again.', schema: { type: 'integer' } } },
        },
      },
      schemas: { Failure: failureSchema },
    },
    security: [{ certificate: [] }],
  };
}

const text = { type: 'string' };
const failureSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'mend'],
      properties: { code: text, message: text, mend: text },
    },
  },
};

function operationOf(route: StoreRoute): unknown {
  const { doc } = route;
  const parameters = [
    ...[...route.path.matchAll(/:(\w+)/g)].map(([, name]) => parameter('path', name ?? '', '', true)),
    ...Object.entries(doc.query ?? {}).map(([name, meaning]) => parameter('query', name, meaning, name === 'from')),
    ...Object.entries(doc.headers ?? {}).map(([name, meaning]) => parameter('header', name, meaning, false)),
  ];
  return {
    operationId: operationIdOf(route),
    summary: doc.summary,
    description: `For ${whoOf(route)}.`,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(doc.body === undefined
      ? {}
      : { requestBody: { required: true, description: doc.body, content: { 'application/json': {} } } }),
    responses: responsesOf(route),
  };
}

/** Every route can refuse; each says in its own words what else it answers. */
function responsesOf({ doc, who }: StoreRoute): Record<string, unknown> {
  const named = Object.entries(doc.answers).map(([status, meaning]): [string, unknown] => [
    status,
    Number(status) < 400 ? { description: meaning } : { ...described(meaning) },
  ]);
  const refusals = Array.isArray(who) ? ['403', '404', '429'] : who === 'point' ? ['404', '429'] : ['403', '429'];
  const unnamed = refusals.filter((status) => !Object.hasOwn(doc.answers, status));
  return Object.fromEntries([
    ...named,
    ...unnamed.map((status): [string, unknown] => [status, status === '429' ? LATER : FAILURE]),
  ]);
}

function described(description: string): object {
  return { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/Failure' } } } };
}

function parameter(place: 'path' | 'query' | 'header', name: string, description: string, required: boolean): unknown {
  return { name, in: place, required, ...(description === '' ? {} : { description }), schema: text };
}

function operationIdOf({ method, path }: StoreRoute): string {
  const words = path.split('/').filter((part) => part !== '' && part !== 'v1');
  return [method.toLowerCase(), ...words.map((part) => part.replace(/^:/, 'by-'))].join('-');
}

function whoOf({ who }: StoreRoute): string {
  if (who === 'point') return 'the point of the path';
  if (who === 'anyone') return 'any point or person';
  if (who === 'known') return 'any point, and any person with a role';
  return `people with the role ${who.join(', ')}`.replace(/, (\w+)$/, ' or $1');
}
