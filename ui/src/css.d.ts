/** Custom properties may stand in a `style`. */

import "react";

declare module "react" {
  interface CSSProperties {
    [name: `--${string}`]: string;
  }
}
