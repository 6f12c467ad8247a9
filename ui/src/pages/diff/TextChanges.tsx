/** Two texts as one: what went is struck out, what came is underlined. */

import { useMemo, useState } from "react";

import { LongText } from "../../components/LongText";
import { formatNumberOf } from "../../model/format";
import { diffTexts, foldSame, type Shown } from "../../model/textDiff";
import styles from "./DiffPage.module.css";

/** More pieces than this make no picture that one can read. */
const MOST_PIECES = 3000;

interface TextChangesProps {
  title: string;
  before: string;
  after: string;
  isSmall?: boolean;
}

export function TextChanges({ title, before, after, isSmall = false }: TextChangesProps) {
  const [showsAll, setShowsAll] = useState(false);
  const found = useMemo(() => diffTexts(before, after), [before, after]);
  const shown = useMemo((): readonly Shown[] | null => {
    if (found === null || found.pieces.length > MOST_PIECES) return null;
    return showsAll ? found.pieces : foldSame(found.pieces);
  }, [found, showsAll]);
  return (
    <section className={`${styles.text} ${isSmall ? styles.small : ""}`} aria-label={title}>
      <h3>{title}</h3>
      {shown === null ? (
        <>
          <p className={styles.faint}>The texts are too long or too different to be marked; both as they are:</p>
          <div className={styles.words}>
            <LongText text={before} />
          </div>
          <div className={styles.words}>
            <LongText text={after} />
          </div>
        </>
      ) : (
        <div className={styles.words} dir="auto">
          {shown.map((piece, index) => {
            // oxlint-disable react/no-array-index-key -- pieces of one text
            if (piece.kind === "removed") return <del key={index}>{piece.text}</del>;
            if (piece.kind === "added") return <ins key={index}>{piece.text}</ins>;
            if (piece.kind === "hidden") {
              return (
                <button key={index} type="button" className={styles.hidden} onClick={() => setShowsAll(true)}>
                  {formatNumberOf(piece.lines, "line")} the same
                </button>
              );
            }
            return <span key={index}>{piece.text}</span>;
            // oxlint-enable react/no-array-index-key
          })}
        </div>
      )}
    </section>
  );
}
