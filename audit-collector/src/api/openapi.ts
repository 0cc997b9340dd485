/** The routes as an OpenAPI document: `docs/denials-openapi.json`, which a test keeps equal to this. */
import * as z from 'zod';
import { answerSchemas } from './answer-schemas.ts';
import type { DenialRoute } from './denial-routes.ts';
import { parametersOf } from './query.ts';

const refTo = (name: string): { $ref: string } => ({ $ref: `#/components/schemas/${name}` });

export function openApiOf(routes: readonly DenialRoute[]): unknown {
  const paths = routes.map((route) => [route.path.replace(/:(\w+)/g, '{$1}'), { get: operationOf(route) }]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Edgeward denials',
      version: '1',
      description:
        'What a ledger of denials answers, on loopback, in every daemon that has one. docs/api.md has the same in words.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'The content of the token file of the daemon.' },
      },
      responses: { Failure: { description: 'A coded error with its mend.', ...jsonOf('Failure') } },
      schemas: { ...schemasOfAnswers(), Failure: failureSchema },
    },
    security: [{ token: [] }],
  };
}

const jsonOf = (name: string): object => ({ content: { 'application/json': { schema: refTo(name) } } });

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

function schemasOfAnswers(): object {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(answerSchemas)) registry.add(schema as z.ZodType, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => refTo(id).$ref });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $id: _, $schema: __, ...schema }]) => [name, schema]),
  );
}

function operationOf({ path, summary, description, query, answer, refusals }: DenialRoute): unknown {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: text,
  }));
  const inQuery = Object.entries(query === null ? {} : parametersOf(query)).map(
    ([name, { description: says, ...schema }]) => ({ name, in: 'query', required: false, description: says, schema }),
  );
  return {
    operationId: path.replaceAll('/:', '-by-').replaceAll('/', '-').replace('-v1-', 'get-'),
    summary,
    description,
    parameters: [...inPath, ...inQuery],
    responses: {
      200: { description: 'As asked for.', ...jsonOf(answer) },
      ...Object.fromEntries([...refusals, 401].map((status) => [status, { $ref: '#/components/responses/Failure' }])),
    },
  };
}
