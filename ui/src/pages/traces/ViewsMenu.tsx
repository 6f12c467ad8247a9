/** Ways to look at the traces: those that come with Whence, and those saved in this browser. */

import { type FormEvent, useState } from "react";

import { Menu, MenuClose } from "../../components/Menu";
import { useKept } from "../../kept";
import { addView, readViews } from "../../model/kept";
import { Link } from "../../router";
import styles from "../../components/menus.module.css";
import { buildTracesUrl, type TracesView } from "./url";
import { BUILT_IN_VIEWS, hrefOfView, VIEWS_NAME } from "./views";

export function ViewsMenu({ view }: { view: TracesView }) {
  const [kept, keep] = useKept(VIEWS_NAME);
  const saved = readViews(kept);
  const [name, setName] = useState("");
  const here = buildTracesUrl(view);
  const save = (event: FormEvent): void => {
    event.preventDefault();
    const search = here.split("?")[1] ?? "";
    keep(JSON.stringify(addView(saved, { name: name.trim(), search })));
    setName("");
  };
  const item = (title: string, href: string) => (
    <MenuClose asChild>
      <Link href={href} aria-current={href === here ? "true" : undefined} title={title}>
        {title}
      </Link>
    </MenuClose>
  );
  return (
    <Menu title="Views" label="Views">
      <ul className={styles.list}>
        {BUILT_IN_VIEWS.map((one) => (
          <li key={one.name}>{item(one.name, hrefOfView(one))}</li>
        ))}
      </ul>
      {saved.length === 0 ? null : (
        <>
          <h3 className={styles.heading}>Saved in this browser</h3>
          <ul className={styles.list}>
            {saved.map((one) => (
              <li key={one.name}>
                {item(one.name, hrefOfView(one))}
                <button
                  type="button"
                  className={styles.small}
                  aria-label={`Remove the view ${one.name}`}
                  title="Remove"
                  onClick={() =>
                    keep(JSON.stringify(saved.filter(({ name: other }) => other !== one.name)))
                  }
                >
                  ×
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
      <form className={styles.form} onSubmit={save}>
        <label>
          Save what is shown now as
          <span className={styles.row}>
            <input value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
            <button type="submit" className="solid-button" disabled={name.trim() === ""}>
              Save
            </button>
          </span>
        </label>
      </form>
      <p className={styles.note}>To share a view, send the page’s address: it holds everything.</p>
    </Menu>
  );
}
