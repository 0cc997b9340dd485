/** Where the virtual server of a front stands on a box. */
export const virtualOf = (front: string): string => `/Common/vs_${front}`;
