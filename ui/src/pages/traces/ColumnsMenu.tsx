/** Which columns the list has, and in which order. */

import { useQuery } from "@tanstack/react-query";

import { fieldsQuery } from "../../api/queries";
import { Menu } from "../../components/Menu";
import { type ColumnChoice, moveColumn, readKeyedColumn, toggleColumn } from "../../model/columns";
import { COLUMNS, DEFAULT_COLUMNS, findColumn } from "./columns";
import styles from "../../components/menus.module.css";

interface ColumnsMenuProps {
  choice: ColumnChoice;
  experimentIds: readonly string[];
  onChange: (choice: ColumnChoice) => void;
}

export function ColumnsMenu(props: ColumnsMenuProps) {
  return (
    <Menu title="Columns" label="Columns" align="end">
      <Choices {...props} />
    </Menu>
  );
}

/** In the page only while the menu is open; so is its question. */
function Choices({ choice, experimentIds, onChange }: ColumnsMenuProps) {
  const { data } = useQuery(fieldsQuery(experimentIds));
  const hidden = COLUMNS.filter(({ id }) => !choice.ids.includes(id));
  const keyed =
    data?.fields.filter(
      ({ name }) => readKeyedColumn(name) !== null && !choice.ids.includes(name),
    ) ?? [];
  return (
    <>
      <ul className={styles.list}>
        {choice.ids.map((id, index) => {
          const { title } = findColumn(id);
          return (
            <li key={id}>
              <label className={styles.check} title={title}>
                <input
                  type="checkbox"
                  checked
                  disabled={choice.ids.length === 1}
                  onChange={() => onChange(toggleColumn(choice, id))}
                />
                <span>{title}</span>
              </label>
              <button
                type="button"
                className={styles.small}
                aria-label={`Move ${title} to the left`}
                disabled={index === 0}
                onClick={() => onChange(moveColumn(choice, id, -1))}
              >
                ↑
              </button>
              <button
                type="button"
                className={styles.small}
                aria-label={`Move ${title} to the right`}
                disabled={index === choice.ids.length - 1}
                onClick={() => onChange(moveColumn(choice, id, 1))}
              >
                ↓
              </button>
            </li>
          );
        })}
        {hidden.map(({ id, title }) => (
          <li key={id}>
            <label className={styles.check}>
              <input
                type="checkbox"
                checked={false}
                onChange={() => onChange(toggleColumn(choice, id))}
              />
              <span>{title}</span>
            </label>
          </li>
        ))}
      </ul>
      <div className={styles.form}>
        {keyed.length === 0 ? null : (
          <select
            aria-label="Add a column"
            value=""
            onChange={(event) => onChange(toggleColumn(choice, event.target.value))}
          >
            <option value="">Add metadata or a tag…</option>
            {keyed.map(({ name }) => (
              <option key={name} value={name}>
                {name.replaceAll("`", "")}
              </option>
            ))}
          </select>
        )}
        <button
          type="button"
          className="quiet-button"
          onClick={() => onChange({ ids: DEFAULT_COLUMNS, widths: {} })}
        >
          Back to the defaults
        </button>
      </div>
    </>
  );
}
