/** The page that an address of sessions or users shows; loaded when one is opened. */

import { GroupsPage } from "./GroupsPage";
import { SessionPage } from "./SessionPage";
import type { GroupsView } from "./url";
import { UserPage } from "./UserPage";

export default function AnyPage({ view }: { view: GroupsView }) {
  const { by, name } = view;
  if (name === null) return <GroupsPage key={by} view={view} />;
  const Shown = by === "session" ? SessionPage : UserPage;
  return <Shown key={name} name={name} view={view} />;
}
