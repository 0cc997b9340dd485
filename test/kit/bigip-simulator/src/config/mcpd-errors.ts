/**
 * The messages of mcpd and of the REST framework, word for word where one was recorded (fidelity/config.json says which).
 * Clients match on them, so each is written once, here.
 */
import { BoxError } from './box-config.ts';
import type { KindDescription } from './kinds.ts';

/** `apiError` of a value that REST itself refuses. */
const INVALID_PROPERTY = 26214401;

export const notFound = (title: string, name: string): BoxError =>
  new BoxError(404, `01020036:3: The requested ${title} (${name}) was not found.`);

export const alreadyExists = (title: string, name: string, partition: string): BoxError =>
  new BoxError(409, `01020066:3: The requested ${title} (${name}) already exists in partition ${partition}.`);

export const inUse = (of: KindDescription, fullPath: string, byTitle: string, by: string): BoxError =>
  new BoxError(
    400,
    `01070265:3: The ${of.inUseTitle} (${fullPath}) cannot be deleted because it is in use by a ${byTitle} (${by}).`,
  );

export const tooLong = (attribute: string, type: string, max: number, received: number): BoxError =>
  new BoxError(
    400,
    `01070712:3: Max string size exceeded during update of attribute:${attribute} type:${type} max:${max} received:${received}`,
  );

export const notInModify = (property: string): BoxError =>
  new BoxError(
    400,
    `"${property}" may not be specified in the context of the "modify" command. "${property}" may be specified using the following commands: create, edit, list`,
  );

export function invalidProperty(property: string, value: unknown): BoxError {
  const text = typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
  return new BoxError(400, `invalid property value "${property}":"${text}"`, INVALID_PROPERTY);
}

export const typeChange = (fullPath: string): BoxError =>
  new BoxError(400, `0107074b:3: Unable to change data group (${fullPath}) type.  Must remove existing entries first.`);

export const httpProfileRequired = (event: string, rule: string, virtual: string): BoxError =>
  new BoxError(
    400,
    `01070394:3: ${event} event in rule (${rule}) requires an associated HTTP or FASTHTTP profile on the virtual server (${virtual}).`,
  );

export const sharesDestination = (virtual: string, other: string): BoxError =>
  new BoxError(
    400,
    `01070333:3: Virtual Server ${virtual} illegally shares destination address, source address, service port, and ip-protocol with Virtual Server ${other}.`,
  );

export const nodeInUse = (node: string, pool: string): BoxError =>
  new BoxError(400, `01070110:3: Node address '${node}' is referenced by a member of pool '${pool}'.`);

export const folderNotEmpty = (folder: string, item: string): BoxError =>
  new BoxError(
    400,
    `010713f9:3: The folder ${folder} cannot be deleted because it contains configuration item (${item})`,
  );

export const partitionNotEmpty = (partition: string): BoxError =>
  new BoxError(
    400,
    `0107082a:3: All objects must be removed from a partition (${partition}) before the partition may be removed, type ID (915)`,
  );

export const builtIn = (title: string, fullPath: string): BoxError =>
  new BoxError(400, `01070822:3: Access Denied: The ${title} (${fullPath}) is a system object and cannot be deleted.`);

export const badName = (name: string): BoxError =>
  new BoxError(400, `01020057:3: The string with more than 0 invalid characters is not a valid name (${name}).`);

export const badValue = (what: string, value: string): BoxError =>
  new BoxError(400, `01070712:3: Values (${value}) specified for ${what} are not valid.`);

/** The high-availability rule: a peer could not apply the two in one go. */
export const removedAndCreated = (title: string, fullPath: string): BoxError =>
  new BoxError(
    400,
    `01070734:3: Configuration error: delete and create of the same object in one transaction is not allowed for HA: ${title} (${fullPath}).`,
  );

export const syntaxError = (line: number, reason: string): BoxError =>
  new BoxError(400, `Syntax Error:(terminal at line: ${line}) ${reason}`);
