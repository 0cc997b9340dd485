/** Numbers by place, 0 where none was put: four bytes each, however many millions. */
export interface Column {
  at(place: number): number;
  put(place: number, value: number): void;
}

export function createColumn(): Column {
  let cells = new Uint32Array(64);
  return {
    at: (place) => cells[place] ?? 0,
    put: (place, value) => {
      if (place >= cells.length) {
        const wider = new Uint32Array(Math.max(place + 1, cells.length * 2));
        wider.set(cells);
        cells = wider;
      }
      cells[place] = value;
    },
  };
}

/** Numbers from 0 for things that come and go; those given back are given out again. */
export interface Places {
  take(): number;
  giveBack(place: number): void;
}

export function createPlaces(): Places {
  const free: number[] = [];
  let next = 0;
  return {
    take: () => {
      const place = free.pop();
      if (place !== undefined) return place;
      next += 1;
      return next - 1;
    },
    giveBack: (place) => void free.push(place),
  };
}
