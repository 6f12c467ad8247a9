/** A button that opens a small panel beside it; Escape or a click elsewhere closes it. */

import * as Popover from "@radix-ui/react-popover";
import type { ReactNode } from "react";

import styles from "./Menu.module.css";

interface MenuProps {
  /** What the button shows. */
  label: ReactNode;
  /** What the panel is, for those who can't see it. */
  title: string;
  align?: "start" | "end";
  isOpen?: boolean;
  onOpenChange?: (isOpen: boolean) => void;
  children: ReactNode;
}

export function Menu({ label, title, align = "start", isOpen, onOpenChange, children }: MenuProps) {
  return (
    <Popover.Root
      {...(isOpen === undefined ? {} : { open: isOpen })}
      {...(onOpenChange === undefined ? {} : { onOpenChange })}
    >
      <Popover.Trigger className={`quiet-button ${styles.trigger}`} title={title}>
        {label}
        <svg viewBox="0 0 10 6" width="8" height="5" aria-hidden="true">
          <path d="M1 1l4 4 4-4" fill="none" stroke="currentColor" strokeWidth="1.5" />
        </svg>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className={styles.panel}
          aria-label={title}
          align={align}
          sideOffset={6}
          collisionPadding={8}
          onOpenAutoFocus={focusFirst}
        >
          {children}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Where one chooses, the choice comes before the fields. */
function focusFirst(event: Event): void {
  const panel = event.currentTarget;
  if (!(panel instanceof HTMLElement)) return;
  const first = panel.querySelector<HTMLElement>("a[aria-current], a, input, select, button");
  if (first === null) return;
  event.preventDefault();
  first.focus();
}

export const MenuClose = Popover.Close;
