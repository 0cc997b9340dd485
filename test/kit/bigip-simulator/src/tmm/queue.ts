/** First in, first out, in constant time. */

export interface Queue<Item> {
  readonly size: number;
  add(item: Item): void;
  take(): Item | undefined;
}

const COMPACT_AT = 1024;

export function createQueue<Item>(): Queue<Item> {
  let items: (Item | undefined)[] = [];
  let first = 0;
  return {
    get size() {
      return items.length - first;
    },
    add: (item) => void items.push(item),
    take() {
      if (first === items.length) return undefined;
      const item = items[first];
      items[first++] = undefined;
      if (first >= COMPACT_AT && first * 2 >= items.length) {
        items = items.slice(first);
        first = 0;
      }
      return item;
    },
  };
}
