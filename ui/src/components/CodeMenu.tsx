/** What is on the page as programs, each with a button that copies it. */

import { CopyButton } from "./CopyButton";
import { Menu } from "./Menu";
import styles from "./menus.module.css";

interface CodeMenuProps {
  title: string;
  programs: readonly { title: string; text: string }[];
}

export function CodeMenu({ title, programs }: CodeMenuProps) {
  return (
    <Menu title={title} label="Copy as" align="end">
      {programs.map((program) => (
        <section key={program.title} className={styles.snippet} aria-label={program.title}>
          <header>
            {program.title}
            <CopyButton text={program.text} />
          </header>
          <pre>{program.text}</pre>
        </section>
      ))}
    </Menu>
  );
}
