import { lookOf } from "../model/spanTypes";

/** The small sign of a span type. */
export function SpanSign({ spanType }: { spanType: string }) {
  const { colour, path } = lookOf(spanType);
  return (
    <svg
      viewBox="0 0 16 16"
      width="16"
      height="16"
      role="img"
      aria-label={spanType}
      style={{ color: colour, flex: "none" }}
    >
      <rect width="16" height="16" rx="4" fill="currentColor" opacity="0.16" />
      <path
        d={path}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.4"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
