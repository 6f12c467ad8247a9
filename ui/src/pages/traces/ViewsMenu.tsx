/** Ways to look at the traces: those that come with Whence, and those saved on this server. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { deleteView, saveView } from "../../api/changes";
import { viewsQuery } from "../../api/queries";
import { Menu, MenuClose } from "../../components/Menu";
import { Link } from "../../router";
import styles from "../../components/menus.module.css";
import { buildTracesUrl, type TracesView } from "./url";
import { BUILT_IN_VIEWS, hrefOfView } from "./views";

const LONGEST_NAME = 80;

export function ViewsMenu({ view }: { view: TracesView }) {
  const { data } = useQuery(viewsQuery());
  const saved = data?.views ?? [];
  const queries = useQueryClient();
  const onSuccess = (): Promise<void> => queries.invalidateQueries(viewsQuery());
  const saving = useMutation({ mutationFn: saveView, onSuccess });
  const deleting = useMutation({ mutationFn: deleteView, onSuccess });
  const [name, setName] = useState("");
  const here = buildTracesUrl(view);
  const mistake = saving.error ?? deleting.error;
  const isTaken = saved.some((one) => one.name === name.trim());
  const save = (event: FormEvent): void => {
    event.preventDefault();
    const search = here.split("?")[1] ?? "";
    saving.mutate({ name: name.trim(), search }, { onSuccess: () => setName("") });
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
          <h3 className={styles.heading}>Saved, for everybody here</h3>
          <ul className={styles.list}>
            {saved.map((one) => (
              <li key={one.name}>
                {item(one.name, hrefOfView(one))}
                <button
                  type="button"
                  className={styles.small}
                  aria-label={`Remove the view ${one.name}`}
                  title="Remove, for everybody"
                  onClick={() => deleting.mutate(one.name)}
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
            <input
              value={name}
              maxLength={LONGEST_NAME}
              onChange={(event) => setName(event.target.value)}
            />
            <button
              type="submit"
              className="solid-button"
              disabled={name.trim() === "" || saving.isPending}
            >
              {isTaken ? "Replace" : "Save"}
            </button>
          </span>
        </label>
        {mistake === null ? null : (
          <p className={styles.mistake} role="alert">
            {mistake.message}
          </p>
        )}
      </form>
      <p className={styles.note}>
        Views are kept on the server. To share one only once, send the page’s address: it holds
        everything.
      </p>
    </Menu>
  );
}
