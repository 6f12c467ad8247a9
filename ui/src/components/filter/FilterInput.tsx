/** The filter as a plain field: what is there until the editor has been loaded. */

import { type RefObject, useImperativeHandle, useRef } from "react";

export interface FilterFieldHandle {
  focus: () => void;
  blur: () => void;
}

export const PLACEHOLDER = "environment = 'production' AND app_version >= '2.1.0', or words";

interface FilterInputProps {
  handle: RefObject<FilterFieldHandle | null>;
  value: string;
  isWrong: boolean;
  onChange: (text: string) => void;
  onFocusChange: (hasFocus: boolean) => void;
  onScroll: (left: number) => void;
}

export function FilterInput(props: FilterInputProps) {
  const { handle, value, isWrong, onChange, onFocusChange, onScroll } = props;
  const input = useRef<HTMLInputElement>(null);
  useImperativeHandle(
    handle,
    () => ({ focus: () => input.current?.select(), blur: () => input.current?.blur() }),
    [],
  );
  return (
    <input
      ref={input}
      aria-label="Filter"
      aria-invalid={isWrong}
      aria-describedby={isWrong ? "filter-error" : undefined}
      autoComplete="off"
      autoCapitalize="off"
      spellCheck={false}
      placeholder={PLACEHOLDER}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      onFocus={() => onFocusChange(true)}
      onBlur={() => onFocusChange(false)}
      onScroll={(event) => onScroll(event.currentTarget.scrollLeft)}
    />
  );
}
